"""`lastmile up` with its web UI: the lineage to look at, a backfill of years in one run, one platform per home."""

import shutil

import pytest
from end_to_end.installation import Installation, graphql, wait_for

from lastmile.orchestration.drops.paths import cleaned_path, quarantine_path, raw_path

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
BACKFILL = """
mutation ($keys: [AssetKeyInput!]!, $years: [String!]!) {
  launchPartitionBackfill(backfillParams: {assetSelection: $keys, partitionNames: $years, title: "all years"}) {
    __typename ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message }
  }
}
"""
LOCATIONS = "{ workspaceOrError { ... on Workspace { locationEntries { loadStatus updatedTimestamp } } } }"
STATE = """
query ($id: String!) {
  partitionBackfillOrError(backfillId: $id) {
    ... on PartitionBackfill { status runs(limit: 50) { id } }
  }
}
"""


def test_the_address_is_printed_before_the_work_is_done_and_the_report_after_it(platform):
    wait_for(lambda: "\nreport  " in platform.said.read_text(), 600)
    lines = platform.said.read_text().splitlines()
    address, first, report = (
        next(number for number, line in enumerate(lines) if line.startswith(start))
        for start in (f"web UI  {platform.address}", "drops ", "report  ")
    )
    assert address < first < report


def test_a_backfill_of_all_years_and_datasets_is_one_run(platform):
    datasets = ("hhinfo", "crop", "lstk", "lstk_prod")
    keys = [{"path": path(dataset)} for path in (raw_path, cleaned_path, quarantine_path) for dataset in datasets]
    years = [str(year) for year in range(2015, 2024)]
    launched = graphql(platform.address, BACKFILL, keys=keys, years=years)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    state = wait_for(lambda: _finished(platform.address, launched["backfillId"]), 240, every=2)
    assert state["status"] == "COMPLETED_SUCCESS"
    assert len(state["runs"]) == 1


def _finished(address, backfill):
    state = graphql(address, STATE, id=backfill)["partitionBackfillOrError"]
    return state if state["status"] not in ("REQUESTED", "CANCELING") else None


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium: apt-get install chromium")
def test_the_lineage_is_there_to_look_at(platform):
    from playwright.sync_api import expect, sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{platform.address}/asset-groups", wait_until="domcontentloaded")
        learning = ("features", "candidates", "champions", "predictions", "monitoring")
        for group in ("raw", "cleaned", "quarantine", "warehouse", *learning, "reports"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
        browser.close()


def test_the_web_ui_follows_when_the_code_is_read_anew(platform):
    before = _loaded_at(platform.address)
    assert "reloaded in" in platform.run("reload")
    wait_for(lambda: _loaded_at(platform.address) > before, 60)


def _loaded_at(address):
    (entry,) = graphql(address, LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert entry["loadStatus"] == "LOADED"
    return entry["updatedTimestamp"]


def test_a_second_up_in_the_same_home_is_refused_and_says_who_has_it(platform):
    said = platform.run("up", code=1)
    assert f"already up in {platform.home} (process {platform.up.pid})" in said


def test_a_busy_port_is_told(platform, tmp_path):
    other = Installation(tmp_path / "other")
    said = other.run("up", "--port", platform.address.rsplit(":", 1)[1], code=1)
    assert "is in use; choose another with --port" in said
    assert not other.home.exists()
