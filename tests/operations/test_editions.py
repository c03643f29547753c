"""Weekly reports: made for each week that is over, as page, PDF and CSV files, and mailed once by a real server."""

import csv
import email
import io
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import psycopg
import pytest
from aiosmtpd.controller import Controller

from lastmile.embedded.processes import free_port
from lastmile.errors import UserError
from lastmile.learning import Section, Week, WeeklyReport
from lastmile.learning.declarations.loading import Declared
from lastmile.learning.editions.edition import Edition, as_csv
from lastmile.operations.days import aggregate
from lastmile.operations.editions import due, mail_once, record, send
from lastmile.orchestration.learning.shared import report_key
from lastmile.orchestration.resources import Platform
from lastmile.orchestration.scheduled.weekly import weekly_asset, weekly_schedule

MONDAY = date(2026, 3, 2)
UGLY = 'Łódź #let x = "1" $a$ *b* <script>alert(1)</script>'


def edition(*sections: Section) -> Edition:
    return Edition("Visits", Week(MONDAY), sections, datetime(2026, 3, 9, 5, tzinfo=UTC), "a run")


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url, autocommit=True) as connection:
        yield connection


class Mailbox:
    """What an SMTP server received."""

    def __init__(self) -> None:
        self.received: list[email.message.Message] = []
        self.answer = "250 OK"

    async def handle_DATA(self, server, session, envelope):  # noqa: N802  # as aiosmtpd calls it
        if self.answer.startswith("250"):
            self.received.append(email.message_from_bytes(envelope.content))
        return self.answer


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, str]]:
    box = Mailbox()
    controller = Controller(box, hostname="127.0.0.1", port=free_port())
    controller.start()
    yield box, f"mailto://127.0.0.1:{controller.port}?from=lastmile@example.org&to=team@example.org&mode=insecure"
    controller.stop()


def text_of_pdf(body: bytes, tmp_path: Path) -> str:
    if shutil.which("pdftotext") is None:
        pytest.skip("needs pdftotext, of Debian's poppler-utils")
    (tmp_path / "report.pdf").write_bytes(body)
    return subprocess.run(
        ["pdftotext", "-layout", str(tmp_path / "report.pdf"), "-"], check=True, capture_output=True, text=True
    ).stdout


def test_page_pdf_and_csv_say_the_same_and_no_text_of_the_data_is_markup(tmp_path):
    made = edition(Section("What came in", "Two files.", [{"Where": UGLY, "Rows": 1234}, {"Where": None, "Rows": 5}]))
    files = made.files()
    assert set(files) == {"report.html", "report.pdf", "what-came-in.csv"}
    page, pdf = files["report.html"].decode(), text_of_pdf(files["report.pdf"], tmp_path)
    assert "<script>" not in page
    assert "&lt;script&gt;" in page
    for said in ("Visits", "2026-03-02 to 2026-03-08", "Two files.", "1,234"):
        assert said in page
        assert said in pdf
    assert " ".join(UGLY.split()) in " ".join(pdf.split())
    rows = list(csv.DictReader(io.StringIO(files["what-came-in.csv"].decode("utf-8-sig"))))
    assert rows == [{"Where": UGLY, "Rows": "1234"}, {"Where": "", "Rows": "5"}]


def test_a_table_without_rows_has_its_header_and_a_long_one_repeats_it_on_each_page(tmp_path):
    rows = [{"Day": MONDAY, "Rows": number} for number in range(120)]
    pdf = text_of_pdf(edition(Section("Empty", columns=["Nothing"]), Section("Long", rows=rows)).pdf(), tmp_path)
    pages = pdf.rstrip("\f").split("\f")
    assert len(pages) > 2
    assert "none" in pages[0]
    assert all("Day" in page and "Rows" in page for page in pages[:-1])


def test_a_csv_runs_no_formulas_in_a_spreadsheet_and_leaves_numbers_as_they_are():
    body = as_csv(Section("x", rows=[{"a": "=cmd()", "b": "-5", "c": -5.25}])).decode("utf-8-sig")
    assert body.splitlines()[1] == "'=cmd(),-5,-5.25"


def test_weeks_are_due_from_the_first_day_of_work_until_they_have_an_edition(connection):
    assert due(connection, "visits", MONDAY) == []
    aggregate(connection, "store", MONDAY + timedelta(days=2))
    assert due(connection, "visits", MONDAY + timedelta(days=6)) == []
    second = MONDAY + timedelta(weeks=1)
    assert due(connection, "visits", second) == [MONDAY]
    assert due(connection, "visits", second + timedelta(weeks=1)) == [MONDAY, second]
    record(connection, "visits", MONDAY, "folder", None)
    assert due(connection, "visits", second + timedelta(weeks=1)) == [second]
    assert len(due(connection, "visits", MONDAY + timedelta(weeks=30))) == 8


def test_an_edition_is_mailed_once_with_its_files_however_often_it_is_made(connection, mailbox):
    box, to = mailbox
    record(connection, "visits", MONDAY, "folder", None)
    files = {"report.pdf": b"%PDF-1.7", "rows.csv": b"a,b"}
    mailed = [mail_once(connection, "visits", MONDAY, to, "Visits", "The week.", files) for _ in range(2)]
    record(connection, "visits", MONDAY, "folder", None)
    assert [*mailed, mail_once(connection, "visits", MONDAY, to, "Visits", "The week.", files)] == [True, False, False]
    (message,) = box.received
    attached = {part.get_filename(): part.get_payload(decode=True) for part in message.walk() if part.get_filename()}
    assert message["Subject"] == "Visits"
    assert message["To"] == "team@example.org"
    assert attached == files


def test_what_could_not_be_mailed_is_mailed_the_next_time(connection, mailbox):
    box, to = mailbox
    record(connection, "visits", MONDAY, "folder", None)
    box.answer = "451 try again later"
    with pytest.raises(UserError, match="could not be sent to every address"):
        mail_once(connection, "visits", MONDAY, to, "Visits", "The week.", {})
    box.answer = "250 OK"
    assert mail_once(connection, "visits", MONDAY, to, "Visits", "The week.", {})
    assert len(box.received) == 1


def test_an_address_that_is_none_is_refused_without_being_shown():
    with pytest.raises(UserError, match="address 1 is none that Apprise knows") as refused:
        send("nonsense-with-secret", "Visits", "The week.", {})
    assert "secret" not in str(refused.value)


def test_the_asset_keeps_and_mails_the_edition_and_the_schedule_makes_up_for_a_missed_week(site, settings, mailbox,
                                                                                          monkeypatch):  # fmt: skip
    box, to = mailbox
    monkeypatch.setenv("LASTMILE_REPORT_MAIL", to)
    site.arrive("a.csv", "v1,3,2,1,done", "v2,bad,2,1,done")
    for table, columns in (("drops", ("discovered_at", "settled_at")), ("events", ("at",))):
        changes = ", ".join(f"{one} = {one} - interval '14 days'" for one in columns)
        site.connection.execute(f"UPDATE ledger.{table} SET {changes}".encode())

    def sections(data, week):
        return [Section("Came", rows=data.drops_between(["visits"], week.monday, week.after))]

    report = WeeklyReport("weekly_visits", "Visits", "Visits of the week.", "team:a", sections)
    asset = weekly_asset(Declared(report, "field", Path(__file__), "1"))
    found = datetime.now(UTC).date() - timedelta(days=14)
    monday = found - timedelta(days=found.weekday())
    aggregate(site.connection, site.store.url, found)
    with dg.DagsterInstance.ephemeral() as instance:
        resources, schedule = {"platform": Platform()}, weekly_schedule(report)
        code = dg.Definitions(assets=[asset], schedules=[schedule], resources=resources)
        with dg.build_schedule_context(
            instance=instance,
            resources=resources,
            scheduled_execution_time=datetime.now(UTC),
            repository_def=code.get_repository_def(),
        ) as context:
            tick = schedule.evaluate_tick(context)
            assert str(monday) in [request.partition_key for request in tick.run_requests]
            made = dg.materialize([asset], instance=instance, resources=resources, partition_key=str(monday))
            again = schedule.evaluate_tick(context).run_requests
        assert made.success
        assert str(monday) not in [request.partition_key for request in again]
        assert instance.get_materialized_partitions(report_key("weekly_visits")) == {str(monday)}
    kept = {one.key.rpartition("/")[2] for one in site.store.list(f"reports/weekly_visits/{monday}/")}
    assert kept == {"report.html", "report.pdf", "came.csv"}
    assert b"visits,1,2,1,1,0" in site.store.read(f"reports/weekly_visits/{monday}/came.csv")
    assert [message["Subject"] for message in box.received] == [f"Visits, {Week(monday)}"]
