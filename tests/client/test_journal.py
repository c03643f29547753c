"""The journal of a producer: what was appended is there until it is acknowledged, whatever ended the process."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lastmile.client.producing.journal import EVENT, BufferFull, Journal, Locked, Record


def record(value: bytes, key: bytes | None = None) -> Record:
    return Record(EVENT, key, value)


def waiting(journal: Journal) -> list[Record]:
    """All that is not acknowledged."""
    found, place = [], journal.acknowledged
    while records := journal.read(place, 7, 1_000):
        found += [one.record for one in records]
        place = journal.behind(records[-1])
    return found


def test_what_is_not_acknowledged_is_there_for_the_next_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    first = journal.append([record(b"a", b"k"), record(b"", b""), record(b"c")])
    journal.append([record(b"d")])
    journal.acknowledge(first, 0.0)
    journal.close()
    again = Journal(tmp_path)
    assert waiting(again) == [record(b"d")]
    assert again.id == journal.id


def test_a_record_that_a_death_cut_short_is_removed_and_those_behind_it_are_whole(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(b"whole"), record(b"cut short")])
    journal.close()
    (file,) = tmp_path.glob("*.log")
    file.write_bytes(file.read_bytes()[:-3])
    again = Journal(tmp_path)
    again.append([record(b"after")])
    assert waiting(again) == [record(b"whole"), record(b"after")]


def test_bytes_that_were_damaged_are_not_sent(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(b"whole"), record(b"damaged")])
    journal.close()
    (file,) = tmp_path.glob("*.log")
    file.write_bytes(file.read_bytes().replace(b"damaged", b"dbmaged"))
    assert waiting(Journal(tmp_path)) == [record(b"whole")]


def test_a_full_journal_keeps_all_of_a_call_or_nothing(tmp_path: Path) -> None:
    journal = Journal(tmp_path, most_bytes=100)
    journal.append([record(b"x" * 40)])
    with pytest.raises(BufferFull, match="wait for the broker already"):
        journal.append([record(b"y" * 20), record(b"z" * 40)])
    assert waiting(journal) == [record(b"x" * 40)]


def test_a_journal_is_of_one_process(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(Locked, match="another producer has the journal"):
        Journal(tmp_path)
    journal.close()
    assert Journal(tmp_path).id == journal.id


def test_files_of_what_is_acknowledged_are_removed(tmp_path: Path) -> None:
    journal = Journal(tmp_path, file_bytes=1_000)
    places = [journal.append([record(b"x" * 300)]) for _ in range(20)]
    assert len(list(tmp_path.glob("*.log"))) == 5
    journal.acknowledge(places[-1], 0.0)
    assert len(list(tmp_path.glob("*.log"))) == 1
    assert waiting(journal) == []


def test_records_that_were_one_message_are_one_again_after_a_death(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append([record(b"1"), record(b"2"), record(b"3")])
    two = journal.read(0, 2, 1_000)
    journal.cut(0, journal.behind(two[-1]))
    journal.close()
    again = Journal(tmp_path)
    again.append([record(b"4")])
    assert [one.record.value for one in again.read(0, 100, 1_000)] == [b"1", b"2"]
    assert [one.record.value for one in again.read(again.behind(two[-1]), 100, 1_000)] == [b"3", b"4"]


_steps = st.lists(
    st.one_of(
        st.tuples(st.just("append"), st.lists(st.binary(max_size=60), min_size=1, max_size=6)),
        st.tuples(st.just("acknowledge"), st.integers(0, 12)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=30,
)


@settings(max_examples=150, deadline=None)
@given(_steps)
def test_whatever_is_done_what_waits_is_what_was_appended_and_not_acknowledged(
    tmp_path_factory: pytest.TempPathFactory, steps: list
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    journal, expected = Journal(folder, file_bytes=100), list[Record]()
    for step, given_ in steps:
        if step == "append":
            journal.append([record(value) for value in given_])
            expected += [record(value) for value in given_]
        elif step == "acknowledge":
            for _ in range(given_):
                if records := journal.read(journal.acknowledged, 1, 1):
                    journal.acknowledge(journal.behind(records[0]), 0.0)
                    expected.pop(0)
        else:
            journal.close()
            journal = Journal(folder, file_bytes=100)
        assert waiting(journal) == expected
    journal.close()
