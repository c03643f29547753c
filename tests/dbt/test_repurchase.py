"""Customers by month: nothing from the first of a month on shows in what is known of them then, and there is something
to learn of whether they buy again."""

import random
from dataclasses import replace
from datetime import date, timedelta

import dagster as dg
import pandas as pd
import pytest
from household_learning import learning_resources

from assets.retail.features.customer_repurchase import features
from assets.retail.sample import generate_shop
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.learning import field
from lastmile.learning.declarations.loading import load_features, load_models
from lastmile.learning.features.leakage import derived_inputs
from lastmile.learning.features.lineage import measures
from lastmile.orchestration.learning.champions import champion_asset
from lastmile.orchestration.learning.features import feature_asset
from lastmile.orchestration.learning.models import model_asset
from lastmile.orchestration.learning.predictions import prediction_asset
from lastmile.orchestration.resources import Platform
from lastmile.sampling import Dirt

FIRST, SNAPSHOT = date(2023, 9, 1), date(2024, 2, 1)
MONTHS = ["run", "--select", "fct_retail_customer_month", "fct_retail_repurchase"]
KNOWN = f"SELECT * FROM marts.fct_retail_customer_month WHERE partition_start = '{SNAPSHOT}' ORDER BY customer_id"
DAY = """
INSERT INTO intermediate.int_retail_customer_days (customer_id, partition_start, country, orders, order_lines, articles,
    pieces_sold, gross_revenue_gbp, cancelled_gbp, net_revenue_gbp)
VALUES (%(customer)s, %(day)s, 'eire', %(orders)s, 3, 2, 9, %(gross)s, 1, 0)
"""


def days_of_customers(chance, first, last):
    """Days of some customers within these dates, at most one a customer and day."""
    span = (last - first).days
    places = {(chance.randrange(12), first + timedelta(chance.randrange(span))) for _ in range(60)}
    return [
        {"customer": customer, "day": day, "orders": chance.randrange(3), "gross": chance.randrange(1, 500)}
        for customer, day in sorted(places)
    ]


@pytest.fixture
def put(warehouse):
    def put(days):
        with warehouse.connection.cursor() as cursor:
            cursor.executemany(DAY, days)
        warehouse.run(*MONTHS)

    return put


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_from_the_first_of_a_month_on_changes_nothing_known_then(warehouse, put, seed):
    chance = random.Random(seed)
    put([*days_of_customers(chance, FIRST, SNAPSHOT), {"customer": 99, "day": SNAPSHOT, "orders": 1, "gross": 5}])
    before = warehouse.select(KNOWN)
    put(days_of_customers(chance, SNAPSHOT, SNAPSHOT + timedelta(60)))
    assert warehouse.select(KNOWN) == before != []
    warehouse.connection.execute(
        "UPDATE intermediate.int_retail_customer_days SET gross_revenue_gbp = 7, orders = 5, country = 'spain'"
        " WHERE partition_start >= %s",
        [SNAPSHOT],
    )
    warehouse.run(*MONTHS)
    assert warehouse.select(KNOWN) == before


def test_a_day_before_the_month_that_comes_late_corrects_it(warehouse, put):
    put([{"customer": 1, "day": day, "orders": 1, "gross": 5} for day in (date(2024, 1, 10), SNAPSHOT)])
    before = warehouse.select(KNOWN)
    put([{"customer": 1, "day": date(2024, 1, 20), "orders": 1, "gross": 5}])
    assert warehouse.select(KNOWN) != before


@pytest.fixture
def shop(warehouse, store, contracts, tmp_path):
    """Five months of a small shop, from its drops to the months of its customers."""
    days = [date(2023, 11, 1) + timedelta(number) for number in range(152)]
    truth = generate_shop(tmp_path, days, invoices=15, seed=3, dirt=Dirt.none())
    for drop in truth.drops:
        store.put(f"landing/{drop.key}", tmp_path / drop.key)
    discover(warehouse.connection, store, contracts)
    ingest_pending(warehouse.connection, store, contracts["retail_lines"], [d.partition for d in truth.drops], "a run")
    warehouse.run("run", "--select", "+fct_retail_repurchase")
    return warehouse


def test_the_sample_makes_a_model_that_beats_the_dummy_on_later_months(shop):
    range_of_months = {"dagster/asset_partition_range_start": "2023-11", "dagster/asset_partition_range_end": "2024-03"}
    customers, repurchase = load_features("assets")["customer_repurchase"], load_models("assets")["repurchase"]
    assets = [
        feature_asset(customers),
        model_asset(repurchase),
        champion_asset(repurchase),
        prediction_asset(repurchase),
    ]
    with shop.environment(), dg.DagsterInstance.ephemeral() as instance:
        for one in assets:
            tags = range_of_months if one.partitions_def else {}
            resources = learning_resources(Platform())
            made = dg.materialize(assets, selection=[one.key], tags=tags, instance=instance, resources=resources)
            failed = [check for check in made.get_asset_check_evaluations() if not check.passed]
            assert [check.check_name for check in failed if check.severity == dg.AssetCheckSeverity.ERROR] == []
    (scores,) = shop.select("SELECT scores FROM registry.model_versions WHERE name = 'repurchase'")[0]
    area = "roc_auc_buys_again"
    assert scores["log_loss"] < scores["dummy"]["log_loss"] - 0.03
    assert 0.65 < scores[area] < 0.9 > scores["dummy"][area] == 0.5
    months = "SELECT partition_start, count(*), count(DISTINCT customer_id) FROM {} GROUP BY 1 ORDER BY 1"
    assert shop.select(months.format("predictions.repurchase")) == shop.select(
        months.format("marts.fct_retail_repurchase")
    )


def test_what_comes_after_the_snapshot_may_be_no_input(warehouse):
    """By what its columns measure: under another name, and scaled, too."""
    smuggled = {"basket": field("Smuggled in."), "__annotations__": {"basket": float}, "__module__": __name__}

    def made(fct_retail_customer_month, fct_retail_repurchase):
        found = features.make(fct_retail_customer_month, fct_retail_repurchase)
        later = fct_retail_repurchase.assign(basket=fct_retail_repurchase["gross_revenue_after_gbp"] / 10)
        return found.merge(later[["customer_id", "snapshot_month", "basket"]], on=["customer_id", "snapshot_month"])

    wider = replace(features, schema=type("Wider", (features.schema,), smuggled), make=made)
    key = pd.DataFrame({"customer_id": [1, 2, 3], "snapshot_month": "2024-02"})
    customers = key.assign(**dict.fromkeys(features.names("numeric"), 1.0), country=["a", "b", "c"])
    after = key.assign(orders_after=[0, 1, 2], gross_revenue_after_gbp=[0.0, 5.0, 9.0], buys_again=["no", "yes", "yes"])
    frames = {"fct_retail_customer_month": customers, "fct_retail_repurchase": after}
    known = measures(warehouse.manifest())
    assert derived_inputs(features, known, frames) == {}
    assert derived_inputs(wider, known, frames) == {"basket": ["purchases_after"]}
