"""`lastmile up` with its web UI: the lineage to look at, a backfill of years in one run, Ctrl-C ends it all."""

import json
import shutil
import signal
import urllib.request

import pytest
from end_to_end.installation import Installation, wait_for

from lastmile.embedded.processes import free_port

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


@pytest.fixture(scope="module")
def platform(tmp_path_factory):
    """A platform that stays up, and the address of its UI."""
    with Installation(tmp_path_factory.mktemp("ui") / "home") as installation:
        installation.run("sample", "household_survey", "--size", "300", "--seed", "3", "--partitions", "2021-2023")
        port = free_port()
        process = installation.start("up", "--port", str(port))
        address = f"http://127.0.0.1:{port}"
        wait_for(lambda: _answers(address), 120)
        yield installation, process, address


def _answers(address):
    try:
        return ask(address, "{ version }")
    except OSError:
        return None


def ask(address, query, **variables):
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{address}/graphql", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.loads(response.read())["data"]


def test_a_backfill_of_all_years_and_datasets_is_one_run(platform):
    _, _, address = platform
    rooms = ("raw", "cleaned", "quarantine")
    keys = [{"path": [room, dataset]} for room in rooms for dataset in ("hhinfo", "crop", "lstk", "lstk_prod")]
    years = [str(year) for year in range(2015, 2024)]
    launched = ask(address, BACKFILL, keys=keys, years=years)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    state = wait_for(lambda: _finished(address, launched["backfillId"]), 240, every=2)
    assert state["status"] == "COMPLETED_SUCCESS"
    assert len(state["runs"]) == 1


def _finished(address, backfill):
    state = ask(address, STATE, id=backfill)["partitionBackfillOrError"]
    return state if state["status"] not in ("REQUESTED", "CANCELING") else None


@pytest.mark.skipif(CHROMIUM is None, reason="needs a Chromium: apt-get install chromium")
def test_the_lineage_is_there_to_look_at(platform):
    from playwright.sync_api import expect, sync_playwright

    _, _, address = platform
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 1600, "height": 1000})
        page.goto(f"{address}/asset-groups", wait_until="domcontentloaded")
        for group in ("ingestion", "warehouse", "learning", "reports"):
            expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60_000)
        browser.close()


def test_the_web_ui_follows_when_the_code_is_read_anew(platform):
    installation, _, address = platform
    before = _loaded_at(address)
    assert "reloaded in" in installation.run("reload")
    wait_for(lambda: _loaded_at(address) > before, 60)


def _loaded_at(address):
    (entry,) = ask(address, LOCATIONS)["workspaceOrError"]["locationEntries"]
    assert entry["loadStatus"] == "LOADED"
    return entry["updatedTimestamp"]


def test_a_second_up_in_the_same_home_is_refused_and_says_who_has_it(platform):
    installation, process, _ = platform
    said = installation.run("up", code=1)
    assert f"already up in {installation.home} (process {process.pid})" in said


def test_a_busy_port_is_told(platform, tmp_path):
    _, _, address = platform
    other = Installation(tmp_path / "other")
    said = other.run("up", "--port", address.rsplit(":", 1)[1], code=1)
    assert "is in use; choose another with --port" in said
    assert not other.home.exists()


def test_ctrl_c_ends_every_process(platform):
    installation, process, _ = platform
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert [one.cmdline() for one in installation.processes()] == []
