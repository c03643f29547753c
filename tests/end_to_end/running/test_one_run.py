"""One run carries a drop from the landing area to the report, on the real daemon."""

from end_to_end.installation import wait_for

ROWS = "hhid,name,n\nlater_1,goats,3\nlater_2,hens,4\n"


def test_one_run_carries_a_drop_to_the_report(platform, tmp_path):
    wait_for(lambda: "drops are ingested as they come" in platform.said.read_text(), 600)
    working = "SELECT 1 FROM dagster.runs WHERE status NOT IN ('SUCCESS', 'FAILURE', 'CANCELED')"
    wait_for(lambda: platform.query(working) == [], 600)
    (known,) = platform.query("SELECT max(id) FROM dagster.runs")
    animals = tmp_path / "more_animals.csv"
    animals.write_text(ROWS)
    platform.run("drop", animals, "--dataset", "lstk", "--partition", "2021")
    for_drops = (
        "SELECT run_id FROM dagster.runs JOIN dagster.run_tags USING (run_id)"
        f" WHERE runs.id > {known} AND key = 'lastmile/partition' AND status = 'SUCCESS'"
    )
    (run,) = wait_for(lambda: platform.query(for_drops), 300)
    made = platform.query(
        "SELECT DISTINCT asset_key FROM dagster.event_logs"
        f" WHERE run_id = '{run}' AND dagster_event_type = 'ASSET_MATERIALIZATION'"
    )
    expected = ('["cleaned", "lstk"]', '["marts", "dim_household"]', '["reports", "vulnerability"]')
    assert {*expected} <= {*made}
    assert not any(key.startswith('["models"') for key in made)
