"""The nightly clean-up: it acts for contracts that say how long objects are kept, and for no others."""

from dataclasses import replace
from datetime import timedelta

import dagster as dg
import pytest
from declaring import changed
from visits import HEADER, VISITS

from lastmile.orchestration.cleanup import clean_landing, nightly_clean_up
from lastmile.orchestration.drop_assets import cleaned_assets, raw_asset
from lastmile.orchestration.resources import Platform

KEPT = replace(VISITS, name="kept")
BRIEF = changed(VISITS, name="brief", retention=timedelta(0))


class TwoDatasets(Platform):
    def contracts(self):
        return {"kept": KEPT, "brief": BRIEF}


class Forever(Platform):
    def contracts(self):
        return {"kept": KEPT}


@pytest.mark.behaviour(number=30)
def test_the_job_removes_what_its_contract_no_longer_keeps(environment, store, instance):
    platform = TwoDatasets()
    for contract in platform.contracts().values():
        store.put(f"landing/{contract.name}/2020/a.csv", f"{HEADER}\nv1,3,2,1,done\n".encode())
        assets = [raw_asset(contract), cleaned_assets(contract)]
        dg.materialize(assets, instance=instance, resources={"platform": platform}, partition_key="2020")
    assert clean_landing.execute_in_process(instance=instance, resources={"platform": platform}).success
    assert [listed.key for listed in store.list("landing/")] == ["landing/kept/2020/a.csv"]


def test_the_schedule_asks_for_a_run_only_where_a_contract_declares_a_retention(environment, instance):
    def tick(platform):
        with dg.build_schedule_context(instance=instance, resources={"platform": platform}) as context:
            return nightly_clean_up.evaluate_tick(context)

    assert len(tick(TwoDatasets()).run_requests) == 1
    skipped = tick(Forever())
    assert skipped.run_requests == []
    assert "no contract declares a retention" in skipped.skip_message
