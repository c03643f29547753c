"""The report: one page that stands alone, true to the data, and safe whatever the data says."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from lastmile.store import Store

LATEST = "reports/vulnerability/latest.html"


class Outside(HTMLParser):
    """What a page would fetch from elsewhere."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("script", "link", "iframe"):
            self.found.append(tag)
        links = [value or "" for name, value in attrs if name in ("src", "href")]
        self.found += [link for link in links if not link.startswith("data:")]


def text(page: str) -> str:
    return " ".join(re.sub(r"<style>.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL).split())


@pytest.fixture
def everything(make, trained):
    """All that comes before the report, and drops in the ledger as if the households had come in them."""
    make("predictions", "2018", "2019")
    url = trained.store().url
    with trained.connect() as connection:
        connection.execute(
            """
            INSERT INTO ledger.drops (dataset, partition, store, key, version, size, modified_at, state, rows_read,
                rows_loaded, rows_quarantined, rows_duplicate)
            SELECT 'hhinfo', '2018', %(url)s, 'landing/hhinfo/2018/' || file, 'v', 1, now(), state, a + b + c, a, b, c
            FROM (VALUES ('survey_1/hhinfo.csv', 'loaded', 40, 7, 3), ('survey_2/hhinfo.csv', 'loaded', 40, 0, 0),
                ('survey_2/old.csv', 'superseded', 0, 0, 0)) AS drops (file, state, a, b, c)
            """,
            {"url": url},
        )
        connection.execute(
            """
            INSERT INTO quarantine.rows (drop_id, dataset, partition, line, kind, raw, reasons)
            SELECT 1, 'hhinfo', '2018', line, 'bad', 'x', jsonb_build_array(jsonb_build_object(
                'column', 'land_owned_ha', 'rule', 'at_most', 'message', '<script>alert(1)</script> is above 5000'))
            FROM generate_series(1, 7) AS line
            """
        )
    return trained


def test_it_shows_predictions_quality_reasons_doubtful_surveys_and_scores(make, everything, store: Store) -> None:
    assert make("reports").success
    page = text(store.read(LATEST).decode())
    assert "400 households with a level: 380 measured, 20 predicted" in page
    assert page.index("Which need attention") < page.index("Levels by year") < page.index("Quality of what came in")
    assert "2 surveys received, 90 rows" in page
    assert "survey_1 2018 7 3 50" in page
    assert "hhinfo land_owned_ha at most 7 1" in page
    assert "survey 1 kenya 2018 40 a thousand times too &lt;low&gt;" in page
    assert "survey 2 mali 2018 40 no majority" in page
    assert "survey 3" not in page
    assert "2 surveys whose levels are not computed" in page
    assert "drop hhinfo again under the same name" in page
    assert "Version 1 of the model was trained on 380 households" in page


def test_a_level_is_the_measured_one_and_predicted_only_where_there_is_none(make, everything, store: Store) -> None:
    """Whatever the model says of households whose level is known."""
    query = """
        SELECT survey_year, 100 * count(*) FILTER (WHERE vulnerability_level LIKE '%Struggling') / count(*)::float8,
            count(vulnerability_level), count(*) FILTER (WHERE vulnerability_level IS NULL)
        FROM marts.fct_household_year GROUP BY 1 ORDER BY 1
    """
    with everything.connect() as connection:
        connection.execute(
            "UPDATE predictions.vulnerability SET vulnerability_level = 'On Track', probability_struggling = 0,"
            " probability_severely_struggling = 0"
        )
        known = connection.execute(query).fetchall()
    make("reports")
    page = text(store.read(LATEST).decode())
    assert len(known) == 2
    for year, share, measured, predicted in known:
        assert f"{year} {share:.0f}% {measured} {predicted}" in page


def test_predicted_households_count_as_vulnerable_by_how_likely_they_are(make, everything, store: Store) -> None:
    """Of 200 at three in ten each 60, whatever level is the likeliest."""
    with everything.connect() as connection:
        connection.execute("UPDATE features.household_vulnerability SET vulnerability_level = NULL")
        connection.execute(
            "UPDATE predictions.vulnerability SET vulnerability_level = 'On Track', probability_struggling = 0.2,"
            " probability_severely_struggling = 0.1"
        )
    make("reports")
    assert "2018 30% 0 200" in text(store.read(LATEST).decode())


def test_countries_that_need_attention_come_first(make, everything, store: Store) -> None:
    with everything.connect() as connection:
        connection.execute("UPDATE features.household_vulnerability SET vulnerability_level = 'On Track'")
        connection.execute(
            "UPDATE features.household_vulnerability SET vulnerability_level = 'Struggling' WHERE country = 'mali'"
        )
    make("reports")
    attention = text(store.read(LATEST).decode()).partition("Which need attention")[2]
    assert "mali 100%" in attention
    assert attention.index("mali 100%") < attention.index("kenya 0%")


def test_it_needs_nothing_but_a_browser_and_escapes_what_the_data_says(make, everything, store: Store) -> None:
    make("reports")
    page = store.read(LATEST).decode()
    outside = Outside()
    outside.feed(page)
    assert outside.found == []
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


def test_it_is_kept_by_day_and_run_beside_the_latest_and_linked(make, everything, store: Store) -> None:
    result = make("reports")
    kept = [found.key for found in store.list("reports/vulnerability") if found.key != LATEST]
    assert [key.rsplit("/", 1)[-1] for key in kept] == [f"{result.run_id}.html"]
    assert store.read(kept[0]) == store.read(LATEST)
    (event,) = result.get_asset_materialization_events()
    assert event.materialization.metadata["report"].value == f"{store.url}/{LATEST}"


def test_it_can_be_made_before_anything_was_predicted(make, store: Store) -> None:
    assert make("reports").success
    page = text(store.read(LATEST).decode())
    assert "No levels are known yet." in page
    assert "No model has been trained yet." in page


def test_predictions_by_another_version_than_the_one_in_use_are_named(make, everything, candidate, in_use) -> None:
    (verdict,) = make("reports").get_asset_check_evaluations()
    assert verdict.passed
    in_use(replace(candidate, data_versions={**candidate.data_versions, "rows": "others"}))
    (verdict,) = make("reports").get_asset_check_evaluations()
    assert not verdict.passed
    assert verdict.description == "vulnerability: 2 partitions by version 1; version 2 is in use"
