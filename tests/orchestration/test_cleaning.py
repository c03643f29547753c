"""The nightly clean-up: of objects for contracts that say how long they are kept, of history and files for all."""

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlparse
from urllib.request import url2pathname

import dagster as dg
import pytest
from declaring import changed
from visits import HEADER, VISITS

from lastmile.orchestration.cleanup import clean_up, nightly_clean_up
from lastmile.orchestration.drops.assets import cleaned_assets, raw_asset
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
    assert clean_up.execute_in_process(instance=instance, resources={"platform": platform}).success
    assert [listed.key for listed in store.list("landing/")] == ["landing/kept/2020/a.csv"]


def test_it_is_every_night_and_on_from_the_start():
    assert nightly_clean_up.job_name == clean_up.name
    assert nightly_clean_up.default_status is dg.DefaultScheduleStatus.RUNNING


def test_one_part_that_fails_leaves_the_others_to_do_theirs(environment, store, instance, monkeypatch):
    from lastmile.operations.retention import history

    store.put("reports/old/2020-01-01/a.html", b"x")
    monkeypatch.setenv("LASTMILE_KEEP_REPORTS_DAYS", "1")
    file = next(one for one in store.list("reports/"))
    path = Path(url2pathname(urlparse(store.url).path), file.key)
    os.utime(path, (0, 0))
    monkeypatch.setattr(history, "clean", lambda *_: 1 / 0)
    done = clean_up.execute_in_process(instance=instance, resources={"platform": Forever()}, raise_on_error=False)
    assert not done.success
    assert list(store.list("reports/")) == []
