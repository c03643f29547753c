"""One file with rows of many partitions: each row has the one that holds its own date, the drop stays one."""

from datetime import date, timedelta

import pytest
from declaring import dataset
from visits import Site

from lastmile.contracts import Misdeclared, Partition, column

COLUMNS = {
    "visit": column(str, "Key.", required=True),
    "seen": column(date, "When.", required=True),
    "note": column(str, "Text."),
}
DAILY = Partition("month", start=date(2019, 1, 1), column="seen")
HEADER = "visit,seen,note"


@pytest.fixture
def here(site: Site) -> Site:
    return site.under(columns=COLUMNS, checks=[], partition=DAILY)


def arrive(site: Site, name: str, *rows: str, month: str = "2020-06"):
    site.put(name, "\n".join([HEADER, *rows]) + "\n", year=month)
    site.discover()
    (outcome,) = site.take(partitions=[month])
    return outcome


def placed(site: Site) -> list[tuple[object, ...]]:
    return site.connection.execute("SELECT visit, _partition_start FROM raw.visits ORDER BY 1, 2").fetchall()


def test_each_row_has_the_partition_of_its_own_date_and_the_drop_says_which(here: Site) -> None:
    outcome = arrive(here, "export.csv", "v1,2020-01-31,a", "v2,2020-02-01,b", "v3,2020-02-29,c")
    assert (outcome.read, outcome.loaded) == (3, 3)
    assert outcome.format["partitions"] == ["2020-01", "2020-02"]
    assert placed(here) == [("v1", date(2020, 1, 1)), ("v2", date(2020, 2, 1)), ("v3", date(2020, 2, 1))]
    assert here.drops()[0]["partition"] == "2020-06"


def test_a_row_of_no_partition_is_quarantined_and_the_counts_add_up(here: Site) -> None:
    tomorrow = date.today() + timedelta(days=40)  # noqa: DTZ011
    outcome = arrive(here, "a.csv", "v1,2018-12-31,early", f"v2,{tomorrow},late", "v3,2020-01-01,c", "v4,2020-01-02,d")
    assert (outcome.read, outcome.loaded, outcome.quarantined) == (4, 2, 2)
    assert all("expected a day of a partition, 2019-01-01 to " in str(row["reasons"]) for row in here.aside())


def test_a_key_repeats_only_within_its_own_partition(here: Site) -> None:
    first = arrive(here, "a.csv", "v1,2020-01-01,a", "v1,2020-02-01,b", "v1,2020-02-02,c")
    assert (first.loaded, first.duplicate) == (2, 1)
    again = arrive(here, "b.csv", "v1,2020-02-03,d", "v1,2020-03-01,e", month="2020-07")
    assert (again.loaded, again.duplicate) == (1, 1)
    assert placed(here) == [("v1", date(2020, month, 1)) for month in (1, 2, 3)]


def test_a_new_version_replaces_rows_of_all_partitions_and_names_those_it_left(here: Site) -> None:
    arrive(here, "a.csv", "v1,2020-01-01,a", "v2,2020-02-01,b")
    outcome = arrive(here, "a.csv", "v1,2020-03-01,a")
    assert outcome.format["partitions"] == ["2020-01", "2020-02", "2020-03"]
    assert placed(here) == [("v1", date(2020, 3, 1))]


@pytest.mark.parametrize(
    ("name", "message"),
    [("note", "expected a date or a timestamp"), ("no", "expected a date"), ("maybe", "make it nullable=False")],
)
def test_a_column_that_gives_no_partition_is_refused_at_declaration(name: str, message: str) -> None:
    with pytest.raises(Misdeclared, match=f"partition names column {name}") as error:
        dataset(
            COLUMNS | {"maybe": column(date, "D.")}, partition=Partition("day", start=date(2020, 1, 1), column=name)
        )
    assert message in str(error.value)
