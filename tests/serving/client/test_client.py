"""What the client submits arrives exactly once and in order, whatever the line does."""

import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from bad_line import FAULTS, BadLine, Fault
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from serving.client.conftest import arrived, ingested
from visits import HEADER, Site

from lastmile.client import Client, Receipt, SignInRefused, sending


def revisions(receipts: list[Receipt]) -> list[tuple[str, int]]:
    return [(one.record_id, one.revision) for one in receipts]


def test_a_submission_becomes_a_row_and_its_status_says_so(client: Client, site: Site) -> None:
    receipt = client.submit("visits", {"visit": "v1", "persons": 3}, partition="2020")
    assert client.pending() == [receipt]
    assert client.status(receipt).state == "waiting"
    sent = client.send(max_seconds=20)
    assert (sent.accepted, sent.refused, sent.waiting) == (1, 0, 0)
    assert client.status(receipt).state in ("accepted", "landed")
    assert ingested(site) == [{"visit": "v1", "persons": 3}]
    assert client.status(receipt).state == "loaded"
    assert client.pending() == []


def test_the_status_of_a_quarantined_record_says_why(client: Client, site: Site) -> None:
    good = [client.submit("visits", {"visit": f"v{number}", "persons": 1}, "2020") for number in range(4)]
    bad = client.submit("visits", {"visit": "v9", "persons": 99}, "2020")
    client.send(max_seconds=20)
    assert len(ingested(site)) == 4
    assert {client.status(one).state for one in good} == {"loaded"}
    status = client.status(bad)
    assert status.state == "quarantined"
    assert "50" in str(status.detail)


def test_an_edit_replaces_the_row(client: Client, site: Site) -> None:
    first = client.submit("visits", {"visit": "v1", "persons": 3}, partition="2020")
    client.send(max_seconds=20)
    assert ingested(site) == [{"visit": "v1", "persons": 3}]
    second = client.edit("visits", first.record_id, {"visit": "v1", "persons": 4}, partition="2020")
    assert second.revision > first.revision
    client.send(max_seconds=20)
    assert ingested(site) == [{"visit": "v1", "persons": 4}]


def test_a_revision_waits_for_the_one_before_it_in_another_partition(client: Client, site: Site) -> None:
    receipts = [
        client.submit("visits", {"visit": "v1", "persons": persons}, partition, record_id=record)
        for record, partition, persons in (("r1", "2020", 1), ("r2", "2021", 2), ("r2", "2020", 3), ("r2", "2021", 4))
    ]
    client.send(max_seconds=20)
    assert arrived(site) == revisions(receipts)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    faults=st.lists(st.sampled_from(FAULTS), max_size=12),
    writes=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 50), st.sampled_from(["2020", "2021"])), max_size=12),
    sends=st.sampled_from([1, 3, 100]),
)
def test_whatever_the_line_does_each_submission_is_there_once_and_revisions_are_in_order(
    line: BadLine,
    key: str,
    site: Site,
    tmp_path: Path,
    faults: list[Fault],
    writes: list[tuple[int, int, str]],
    sends: int,
) -> None:
    site.connection.execute("TRUNCATE submissions.records, submissions.objects CASCADE")
    queue = tmp_path / f"{time.monotonic_ns()}.db"
    line.next(faults)
    receipts = []
    with Client(line.url, key, queue) as client:
        for place, (record, persons, partition) in enumerate(writes):
            body = {"visit": f"v{record}", "persons": persons}
            receipts.append(client.submit("visits", body, partition, record_id=f"r{record}"))
            if place % sends == 0:
                client.send(max_seconds=0.05)
        assert client.send(max_seconds=60).waiting == 0
    there = arrived(site)
    assert sorted(there) == sorted(revisions(receipts))
    for record in {one.record_id for one in receipts}:
        of_record = [revision for name, revision in there if name == record]
        assert of_record == sorted(of_record)


def test_a_thousand_submissions_after_days_offline_arrive_in_order_and_completely(
    client: Client, line: BadLine, site: Site
) -> None:
    bodies = [{"visit": f"v{number:04}", "persons": number % 50} for number in range(1_000)]
    receipts = [client.submit("visits", body, partition="2020") for body in bodies]
    line.next(["no connection", "503", "lost answer", "twice", "cut answer"])
    sent = client.send(max_seconds=60)
    assert (sent.accepted, sent.waiting) == (1_000, 0)
    assert arrived(site) == revisions(receipts)
    assert ingested(site) == bodies
    assert line.requests <= 8
    assert site.query("SELECT count(*) AS jobs FROM submissions.jobs") == [{"jobs": 2}]


def test_a_client_that_is_killed_again_and_again_loses_and_doubles_nothing(
    line: BadLine, key: str, queue: Path, site: Site, api: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(line.url, key, queue) as client:
        receipts = [
            client.submit("visits", {"visit": f"v{number % 900}", "persons": 1}, "2020", f"r{number % 900}")
            for number in range(1_200)
        ]
        command = [sys.executable, "-m", "lastmile.client", "send", "--url", line.url, "--key", key, "--queue", queue]
        for tenths in (3, 4, 5, 6, 7, 8):
            line.next(["late", "lost answer", "late", "twice", "late", "cut answer"])
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            time.sleep(tenths / 10)
            process.kill()
            process.wait()
        assert client.send(max_seconds=60).waiting == 0
    there = arrived(site)
    assert len(there) == len(set(there)) == 1_200
    assert sorted(there) == sorted(revisions(receipts))
    assert len(ingested(site)) == 900


def test_what_is_submitted_survives_the_death_of_the_process(queue: Path, line: BadLine, key: str) -> None:
    script = (
        "import os, sys; from pathlib import Path; from lastmile.client import Client\n"
        "client = Client('http://127.0.0.1:1', 'k', Path(sys.argv[1]))\n"
        "for number in range(20): client.submit('visits', {'visit': f'v{number}'})\n"
        "os.kill(os.getpid(), 9)\n"
    )
    assert subprocess.run([sys.executable, "-c", script, queue], check=False).returncode == -9
    with Client(line.url, key, queue) as client:
        assert len(client.pending()) == 20


def test_what_the_api_refuses_for_good_does_not_hold_up_the_rest(client: Client, site: Site) -> None:
    bodies = [{"visit": f"v{number:02}", "persons": 1} for number in range(50)]
    for number, body in enumerate(bodies):
        client.submit("visits", body, "2020", record_id="x" * 300 if number in (7, 31) else None)
    sent = client.send(max_seconds=30)
    assert (sent.accepted, sent.refused, sent.waiting) == (48, 2, 0)
    refused = client.refused()
    assert {one.problem.status for one in refused} <= {409, 422}
    assert "256" in refused[0].problem.detail
    assert client.status(refused[0].receipt).state == "refused"
    assert len(ingested(site)) == 48


def test_a_dataset_that_is_not_the_key_s_is_refused_at_once(client: Client, line: BadLine) -> None:
    for number in range(20):
        client.submit("others", {"visit": f"v{number}"}, "2020")
    sent = client.send(max_seconds=30)
    assert (sent.refused, line.requests) == (20, 1)
    assert client.refused()[0].problem.status == 403
    assert client.requeue() == 20
    assert len(client.pending()) == 20


def test_a_key_that_is_not_valid_leaves_the_queue_as_it_is(line: BadLine, key: str, queue: Path) -> None:
    with Client(line.url, "lm_wrong", queue) as client:
        client.submit("visits", {"visit": "v1"}, "2020")
        with pytest.raises(SignInRefused):
            client.send(max_seconds=20)
    with Client(line.url, key, queue) as client:
        assert client.send(max_seconds=20).accepted == 1


def test_without_a_network_it_gives_up_in_time_and_says_why(client: Client, line: BadLine) -> None:
    client.submit("visits", {"visit": "v1"}, "2020")
    line.next(["no connection"] * 100_000)
    began = time.monotonic()
    sent = client.send(max_seconds=1)
    assert time.monotonic() - began < 2
    assert sent.waiting == 1
    assert sent.why


def test_it_waits_as_long_as_the_api_says(monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    backoff = sending.Backoff(None, waited.append)
    assert all(backoff.failed(at_least) for at_least in (0, 7, 0, 0, 0, 0, 0, 0))
    assert 7 <= waited[1] < 7 + sending._LONGEST_SECONDS
    assert max(waited[2:]) <= sending._LONGEST_SECONDS


def test_threads_submit_and_send_at_once(client: Client, site: Site) -> None:
    def work(thread: int) -> None:
        for number in range(20):
            client.submit("visits", {"visit": f"v{thread}-{number}", "persons": 1}, "2020")
        client.send(max_seconds=30)

    threads = [threading.Thread(target=work, args=[number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert client.send(max_seconds=30).waiting == 0
    assert len(arrived(site)) == len(set(arrived(site))) == 80


def test_a_large_file_goes_through_a_line_that_keeps_breaking(
    client: Client, line: BadLine, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "visits.csv"
    rows = "".join(f"v{number},3,1.5,0.5,done\n" for number in range(1_000_000))
    file.write_text(f"{HEADER}\n{rows}")
    assert file.stat().st_size > 20_000_000
    receipt = client.upload("visits", file, partition="2020")
    file.unlink()
    line.next([*FAULTS, *FAULTS[1:4]])
    assert client.send(max_seconds=60).accepted == 1
    landed = site.query("SELECT key FROM submissions.jobs WHERE kind = 'file'")
    assert len(landed) == 1
    assert site.store.read(landed[0]["key"]).decode() == f"{HEADER}\n{rows}"
    assert client.status(receipt).state == "landed"
    assert list(client._outbox.folder.iterdir()) == []


def test_a_file_goes_on_where_it_stopped_when_the_process_was_killed(
    line: BadLine, key: str, queue: Path, site: Site, tmp_path: Path
) -> None:
    file = tmp_path / "visits.csv"
    file.write_bytes(b"x" * 12_000_000)
    with Client(line.url, key, queue) as client:
        client.upload("visits", file, partition="2020")
        command = [sys.executable, "-m", "lastmile.client", "send", "--url", line.url, "--key", key, "--queue", queue]
        for _ in range(3):
            line.next(["late"] * 20)
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            time.sleep(0.7)
            process.kill()
            process.wait()
        assert client.send(max_seconds=60).waiting == 0
    begun = len(site.query("SELECT 1 FROM submissions.uploads"))
    assert begun <= 2  # killed before it wrote down the first one's address, it begins again
    jobs = site.query("SELECT key FROM submissions.jobs WHERE kind = 'file'")
    assert [len(site.store.read(job["key"])) for job in jobs] == [12_000_000]


def test_from_a_shell(line: BadLine, key: str, queue: Path, site: Site) -> None:
    def run(*words: str, given: str = "", expected: int = 0) -> str:
        command = [sys.executable, "-m", "lastmile.client", *words]
        done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        assert done.returncode == expected, done.stderr
        return done.stdout

    assert "example:" in run("--help")
    for_visits = ("--queue", str(queue), "--dataset", "visits", "--partition", "2020")
    run("submit", *for_visits, given='{"visit": "v1", "persons": 3, "_id": "r1"}\n{"visit": "v2", "persons": 4}\n')
    assert "waiting  visits 2020 r1" in run("pending", "--queue", str(queue), expected=1)
    said = run("send", "--url", line.url, "--key", key, "--queue", str(queue), "--max-seconds", "20")
    assert said == "2 accepted, 0 refused, 0 waiting\n"
    assert run("pending", "--queue", str(queue)) == ""
    assert len(ingested(site)) == 2


def test_what_json_cannot_say_is_refused_when_it_is_submitted(client: Client) -> None:
    for record in ({"visit": float("nan")}, {"visit": object()}, {"visit": b"v1"}):
        with pytest.raises((TypeError, ValueError)):
            client.submit("visits", record)
    assert client.pending() == []


def test_a_hotspot_that_answers_everything_refuses_nothing(client: Client, line: BadLine, site: Site) -> None:
    client.submit("visits", {"visit": "v1", "persons": 1}, "2020")
    line.next(["portal", "blocked", "portal"])
    assert client.send(max_seconds=20).accepted == 1
    assert len(arrived(site)) == 1


def test_it_needs_nothing_else_of_the_platform() -> None:
    script = "import sys, lastmile.client; print(*[m for m in sys.modules if m.startswith('lastmile.')])"
    found = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert all(module.startswith("lastmile.client") for module in found)
    assert httpx.__name__ in sys.modules
