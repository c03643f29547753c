"""Where rows have partitions of their own, Dagster hears of those that a drop changed, wherever it landed."""

from types import SimpleNamespace

import dagster as dg
from visits import VISITS

from lastmile.ledger import Outcome
from lastmile.orchestration.drop_assets import cleaned_key, report_other_partitions


def test_partitions_changed_by_a_drop_that_landed_elsewhere_are_reported_as_materialized():
    with dg.DagsterInstance.ephemeral() as instance:
        context = SimpleNamespace(instance=instance, partition_keys=["2020"])
        taken = [Outcome("loaded", format={"partitions": ["2019", "2020"]}), Outcome("duplicate"), Outcome("loaded")]
        report_other_partitions(context, VISITS, taken)
        assert instance.get_materialized_partitions(cleaned_key("visits")) == {"2019"}
