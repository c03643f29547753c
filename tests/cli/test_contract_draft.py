"""`lastmile contract draft`: to stdout or to a file that the platform finds."""

import json
import sys

import pytest

from lastmile.cli.app import app
from lastmile.contracts import load_contracts
from lastmile.errors import UserError
from lastmile.ingestion.draft.check import contract_of
from lastmile.streaming.declarations.loading import load_streams


@pytest.fixture
def run(monkeypatch):
    def run(*words):
        monkeypatch.setattr(sys, "argv", ["lastmile", "contract", "draft", *map(str, words)])
        try:
            app(standalone_mode=False)
        finally:
            sys.path_importer_cache.clear()

    return run


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "visits.csv"
    path.write_text("visit_id,hours\n" + "".join(f"V{n},{n}.5\n" for n in range(5)))
    return path


def test_a_draft_goes_to_stdout_under_the_name_of_the_file(run, file, capsys):
    run(file)
    assert contract_of(capsys.readouterr().out).name == "visits"


def test_a_draft_for_a_new_domain_is_found_by_the_platform(run, file, home, tmp_path, monkeypatch, capsys):
    (tmp_path / "my_assets").mkdir()
    (tmp_path / "my_assets" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LASTMILE_ASSETS", "my_assets")
    run(file, "--domain", "field")
    assert str(tmp_path / "my_assets" / "field" / "contracts" / "visits.py") in capsys.readouterr().out.replace(
        "\n", ""
    )
    assert list(load_contracts("my_assets")) == ["visits"]


def test_a_file_that_is_there_is_not_overwritten(run, file, tmp_path):
    target = tmp_path / "contract.py"
    target.write_text("mine")
    with pytest.raises(Exception, match="is there already"):
        run(file, "--to", target)
    assert target.read_text() == "mine"


def test_the_name_of_the_target_is_that_of_the_dataset(run, file, tmp_path):
    run(file, "--to", tmp_path / "deep" / "trips.py")
    assert contract_of((tmp_path / "deep" / "trips.py").read_text()).name == "trips"


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["--name", "My Visits"], "cannot be the name of a dataset"),
        (["--domain", "field", "--to", "x.py"], "give one of them"),
        (["--domain", "../elsewhere"], "cannot be the name"),
    ],
)
def test_a_mistake_is_refused_before_anything_is_read(run, file, words, why):
    with pytest.raises(Exception, match=why):
        run(file, *words)


@pytest.fixture
def topic(kafka, home, monkeypatch):
    monkeypatch.setenv("LASTMILE_KAFKA_URL", kafka.servers)
    topic = kafka.new_topic()
    events = [{"visit": f"V{number}", "at": f"2026-03-01T08:00:{number}Z"} for number in range(10, 60)]
    kafka.send(topic, [*(json.dumps(event).encode() for event in events), b"no JSON"])
    return topic


def test_a_topic_is_drafted_from_before_anything_is_declared(run, topic, capsys):
    run("--topic", topic, "--name", "visits")
    written = capsys.readouterr()
    assert list(contract_of(written.out).columns) == ["visit", "at"]
    assert "51 of 51 messages in 1 partitions were read" in written.err
    assert "partition 0, offset 50: no JSON: " in written.err


def test_a_stream_is_drafted_with_its_contract_and_both_are_found(run, topic, tmp_path, monkeypatch, capsys):
    (tmp_path / "their_assets").mkdir()
    (tmp_path / "their_assets" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LASTMILE_ASSETS", "their_assets")
    run("--topic", topic, "--name", "visits", "--domain", "field", "--with-stream")
    assert "lastmile stream run visits" in capsys.readouterr().out.replace("\n", "")
    contracts = load_contracts("their_assets")
    streams = load_streams("their_assets", contracts)
    assert (list(contracts), list(streams), streams.broken) == (["visits"], ["visits"], [])
    with pytest.raises(UserError, match="is there already"):
        run("--topic", topic, "--name", "visits", "--domain", "field")


def test_a_stream_whose_contract_is_not_written_yet_is_drafted_from(run, topic, tmp_path, monkeypatch, capsys):
    streams = tmp_path / "more_assets" / "field" / "streams"
    streams.mkdir(parents=True)
    for folder in (tmp_path / "more_assets", streams.parent, streams):
        (folder / "__init__.py").touch()
    (streams / "comings.py").write_text(
        "from lastmile.streaming import Stream\n\nstream = Stream(name='comings', description='Comings.',"
        f" owner='team:a', topic={topic!r}, contract='visits', event_time='at')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LASTMILE_ASSETS", "more_assets")
    run("--stream", "comings")
    assert contract_of(capsys.readouterr().out).name == "visits"
    with pytest.raises(UserError, match="no stream 'goings'; there are: comings"):
        run("--stream", "goings")


def test_what_to_draft_from_is_said_once(run, file, home):
    with pytest.raises(UserError, match="files and --topic say what to draft from; give one of them"):
        run(file, "--topic", "visits")
    with pytest.raises(UserError, match="--with-stream writes"):
        run("--topic", "visits", "--with-stream")
    with pytest.raises(UserError, match="LASTMILE_KAFKA_URL is not set"):
        run("--topic", "visits")
