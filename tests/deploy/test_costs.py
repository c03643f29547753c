"""What a month costs: the arithmetic, and that the page and the infrastructure say the same."""

import importlib.util
import re
from collections import Counter
from decimal import Decimal
from types import ModuleType

import pytest
from checkout import PROJECT
from deploy.tools import DEPLOY
from hypothesis import given
from hypothesis import strategies as st

ONE = """
[[line]]
part = "Cluster"
what = "machine"
unit = "hour"
price = 0.10
dev = 1
staging = 2
production = 0.5
[[line]]
part = "Cluster"
what = "disk"
unit = "GB"
price = 0.03
dev = 100
staging = 0
production = 1
"""


def loaded() -> ModuleType:
    spec = importlib.util.spec_from_file_location("costs", DEPLOY / "costs" / "costs.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


COSTS = loaded()


@pytest.fixture
def costs() -> ModuleType:
    return COSTS


def test_what_is_paid_by_the_hour_is_paid_730_times_a_month_and_all_else_once(costs: ModuleType) -> None:
    (part,) = costs.totals(costs.read(ONE)).values()
    assert part == {"dev": Decimal(76), "staging": Decimal(146), "production": Decimal("36.53")}


@given(st.decimals(0, 1000, places=4), st.integers(0, 10_000))
def test_the_sum_is_exact_whatever_the_prices(price: Decimal, count: int) -> None:
    quantities = {"dev": Decimal(count), "staging": Decimal(0), "production": Decimal(count)}
    lines = [COSTS.Line("p", "w", "GB", price, quantities)] * 3
    assert COSTS.totals(lines)["p"]["dev"] == 3 * count * price


def test_the_page_shows_what_the_prices_give(costs: ModuleType) -> None:
    page = (PROJECT / "docs" / "costs.md").read_text()
    assert costs.table(costs.read(costs.PRICES.read_text())) in page, "run platform/deploy/costs/costs.py"


def test_the_machines_that_are_paid_for_are_those_that_terraform_makes(costs: ModuleType) -> None:
    lines = costs.read(costs.PRICES.read_text())
    for size in costs.SIZES:
        text = (DEPLOY / "terraform" / "environments" / f"{size}.tfvars").read_text()
        paid: Counter[str] = Counter()
        for line in lines:
            paid[re.split("[,;]", line.what)[0]] += line.quantities[size]
        nodes = re.search(r'nodes .*types = \["([^"]+)"\], min = (\d+)', text)
        cache = re.search(r'cache .*type = "([^"]+)", nodes = (\d+)', text)
        stream = re.search(r'stream .*type = "([^"]+)", brokers = (\d+), gigabytes = (\d+)', text)
        assert nodes
        assert cache
        assert stream
        assert paid[nodes[1]] >= int(nodes[2])
        assert paid[cache[1]] == int(cache[2])
        assert paid[stream[1]] == int(stream[2])
        assert paid["storage of the brokers"] == int(stream[2]) * int(stream[3])
        assert paid["NAT gateway"] == int(re.findall(r"nat_gateways = (\d)", text)[0])
