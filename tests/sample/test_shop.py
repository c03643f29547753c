"""Days of a shop: the same for the same seed, each fault for its one reason, and odd as the real files are."""

from datetime import date, timedelta

import polars as pl
import pytest
from contracts.judging import judge, read, reasons

from assets.retail.sample import generate_shop
from lastmile.contracts import load_contracts
from lastmile.sampling import Dirt

CONTRACT = load_contracts("assets")["retail_lines"]
DAYS = [date(2024, 2, 20) + timedelta(number) for number in range(20)]


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    folder = tmp_path_factory.mktemp("shop")
    truth = generate_shop(folder, DAYS, seed=3, dirt=Dirt.none())
    return truth, pl.concat([read(folder / drop.key) for drop in truth.drops])


def contents(folder):
    return {file.relative_to(folder): file.read_bytes() for file in folder.rglob("lines*")}


def test_the_same_seed_gives_the_same_files_and_another_one_others(tmp_path):
    for name, seed in (("one", 5), ("two", 5), ("three", 6)):
        generate_shop(tmp_path / name, DAYS[:9], invoices=5, seed=seed)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert contents(tmp_path / "one") != contents(tmp_path / "three")


def test_there_is_a_drop_for_every_day_but_saturdays(clean):
    truth, _ = clean
    assert [drop.partition for drop in truth.drops] == [str(day) for day in DAYS if day.strftime("%a") != "Sat"]


def test_the_lines_are_as_odd_as_the_real_ones(clean, shared_data):
    _, made = clean
    real = pl.concat([read(file) for file in (shared_data / "events_online_retail").glob("*.csv")])
    assert made.columns == real.columns

    def shares(lines):
        return {
            "no customer": lines["CustomerID"].null_count() / lines.height,
            "cancelled": lines["InvoiceNo"].str.starts_with("C").mean(),
            "no price": (lines["UnitPrice"].cast(float) == 0).mean(),
            "equal lines": 1 - lines.n_unique() / lines.height,
        }

    for what, share in shares(real).items():
        assert share / 4 < shares(made)[what] < share * 4, what


def test_each_bad_line_is_bad_for_exactly_the_fault_placed(tmp_path):
    names = ("wrong_type", "out_of_range", "missing_required", "broken_rule")
    dirt = Dirt(**{**dict.fromkeys(Dirt.none().__dict__, 0.0), **dict.fromkeys(names, 0.03)})
    truth = generate_shop(tmp_path, DAYS, invoices=10, seed=4, dirt=dirt)
    for drop in truth.drops:
        judged = judge(CONTRACT, read(tmp_path / drop.key))
        assert (judged.valid.height, judged.bad.height) == (drop.loaded, drop.quarantined)
        assert all(len(row) == 1 for row in reasons(judged))


def test_a_cancellation_is_never_of_more_than_was_sold_before(clean):
    _, lines = clean
    lines = lines.with_columns(pl.col("Quantity").cast(int))
    sold = lines.filter(~pl.col("InvoiceNo").str.starts_with("C"), pl.col("Quantity") > 0)
    cancelled = lines.filter(pl.col("InvoiceNo").str.starts_with("C")).with_row_index("number")
    found = cancelled.join(sold, on=["CustomerID", "StockCode"], suffix="_sold").filter(
        pl.col("InvoiceDate_sold") < pl.col("InvoiceDate"), pl.col("Quantity_sold") >= -pl.col("Quantity")
    )
    assert found["number"].n_unique() == clean[0].of_orders
    assert cancelled.height == clean[0].cancellations > clean[0].of_orders > 0


@pytest.mark.parametrize("mistake", [{"days": []}, {"invoices": 0}, {"seed": -1}])
def test_what_makes_no_shop_is_refused(tmp_path, mistake):
    with pytest.raises(ValueError, match="a shop has days"):
        generate_shop(tmp_path, **{"days": DAYS, **mistake})
