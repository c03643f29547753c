"""Following the changes of a table of a real Postgres."""

import pytest
from followed import Shop, contract, source

from lastmile.errors import UserError
from lastmile.sources import runs
from lastmile.sources.changes import applying
from lastmile.sources.changes.positions import lags
from lastmile.sources.running import alone, run
from lastmile.store import Store


def test_all_rows_are_read_first_and_then_what_changes(shop: Shop) -> None:
    first = shop.follow()
    assert (first.state, first.records, shop.shows()) == ("landed", 10, shop.has())
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1", "DELETE FROM stock WHERE article = 2")
    shop.does("INSERT INTO stock VALUES (11, 'new', 1, 2.5, NULL)")
    second = shop.follow()
    assert (second.records, second.requests, shop.shows()) == (3, 2, shop.has())
    assert shop.history() == [("u", '["1"]', "10", "7"), ("d", '["2"]', "20", None), ("c", '["11"]', None, "1")]


def test_following_again_brings_nothing(shop: Shop) -> None:
    shop.follow()
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    shop.follow()
    before = shop.history()
    assert (shop.follow().state, shop.history()) == ("nothing new", before)


def test_every_row_says_where_and_when_it_became_what_it_is(shop: Shop) -> None:
    shop.follow()
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    (at,) = shop.there.execute("SELECT clock_timestamp()").fetchone() or (None,)
    shop.follow()
    changed, read = shop.shows("article, _lsn, _committed_at")[:2]
    assert changed[1] > read[1]
    assert read[2] is None
    assert abs((changed[2] - at).total_seconds()) < 5
    ((lsn, committed_at, xid),) = shop.history("lsn, committed_at, xid")
    assert (lsn, committed_at) == changed[1:]
    assert xid > 0


def test_a_key_that_changes_moves_its_row(shop: Shop) -> None:
    shop.follow()
    shop.does("UPDATE stock SET article = 100, quantity = 1 WHERE article = 1")
    shop.follow()
    assert shop.shows() == shop.has()
    assert shop.history() == [("u", '["100"]', "10", "1")]
    assert shop.history("before ->> 'article', after ->> 'article'") == [("1", "100")]


def test_keys_that_are_exchanged_within_a_transaction_end_as_there(shop: Shop) -> None:
    shop.follow()
    shop.does(
        "UPDATE stock SET article = -1 WHERE article = 1",
        "UPDATE stock SET article = 1 WHERE article = 2",
        "UPDATE stock SET article = 2 WHERE article = -1",
        "DELETE FROM stock WHERE article = 3",
        "INSERT INTO stock VALUES (3, 'again', 1, 1, NULL)",
    )
    shop.follow()
    assert shop.shows() == shop.has()


@pytest.mark.parametrize("identity", ["DEFAULT", "FULL"])
def test_values_that_an_update_does_not_send_stay(shop: Shop, identity: str) -> None:
    """Postgres keeps long values apart from their row, and does not log those that did not change."""
    shop.does(f"ALTER TABLE stock REPLICA IDENTITY {identity}", "ALTER TABLE stock ALTER name SET STORAGE EXTERNAL")
    shop.does("INSERT INTO stock VALUES (11, repeat('long ', 2000), 1, 1, NULL)")
    shop.follow()
    shop.does("INSERT INTO stock VALUES (12, repeat('late ', 2000), 1, 1, NULL)")
    shop.does(
        "UPDATE stock SET quantity = 5 WHERE article IN (11, 12)", "UPDATE stock SET article = 13 WHERE article = 12"
    )
    shop.follow()
    assert shop.shows() == shop.has()
    assert {length for (length,) in shop.history("length(after ->> 'name')")} == {10_000}


def test_truncating_empties_and_is_one_change(shop: Shop) -> None:
    shop.follow()
    shop.does(
        "UPDATE stock SET quantity = 7 WHERE article = 1", "TRUNCATE stock", "INSERT INTO stock VALUES (1, 'x', 3)"
    )
    shop.follow()
    assert shop.shows() == shop.has()
    assert len(shop.shows()) == 1
    assert shop.history() == [("u", '["1"]', "10", "7"), ("t", None, None, None), ("c", '["1"]', None, "3")]


def test_with_full_identity_any_key_will_do(shop: Shop) -> None:
    shop.does("ALTER TABLE stock DROP CONSTRAINT stock_pkey", "ALTER TABLE stock REPLICA IDENTITY FULL")
    by_name = contract(key=("name",))
    shop.follow(under=by_name)
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1", "DELETE FROM stock WHERE article = 2")
    shop.does("UPDATE stock SET name = 'other' WHERE article = 3")
    shop.follow(under=by_name)
    assert shop.shows() == shop.has()


def test_a_key_that_two_rows_share_is_refused(shop: Shop) -> None:
    shop.does("ALTER TABLE stock REPLICA IDENTITY FULL", "UPDATE stock SET quantity = 10")
    with pytest.raises(UserError, match=r'two rows of public.stock have the same key \(Key \(key\)=\(\["10"\]\)'):
        shop.follow(under=contract(key=("quantity",)))
    assert shop.here.execute("SELECT count(*) FROM changes.stock").fetchone() == (0,)


@pytest.mark.parametrize("identity", ["NOTHING", "DEFAULT"])
def test_a_table_whose_changes_name_no_row_is_refused_before_anything_is_made_there(shop: Shop, identity: str) -> None:
    """A publication would make its updates fail."""
    shop.does("ALTER TABLE stock DROP CONSTRAINT stock_pkey", f"ALTER TABLE stock REPLICA IDENTITY {identity}")
    with pytest.raises(UserError, match="it has no replica identity, by which updates and deletes name their row"):
        shop.follow()
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    assert shop.there.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
    assert shop.there.execute("SELECT count(*) FROM pg_replication_slots").fetchone() == (0,)


def test_of_a_table_without_identity_the_new_rows_can_be_had(shop: Shop) -> None:
    shop.does("ALTER TABLE stock DROP CONSTRAINT stock_pkey")
    shop.follow(source(only_inserts=True))
    shop.does("INSERT INTO stock VALUES (11, 'new', 1, 2.5, NULL)")
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    shop.follow(source(only_inserts=True))
    assert shop.history("op") == [("c",)]
    assert len(shop.shows()) == 11


def test_a_version_that_breaks_the_contract_is_in_quarantine_with_its_place(shop: Shop) -> None:
    shop.does("UPDATE stock SET quantity = -1 WHERE article = 5")
    shop.follow()
    shop.does("UPDATE stock SET quantity = -7 WHERE article = 1", "UPDATE stock SET quantity = 3 WHERE article = 2")
    shop.follow()
    assert [row[0] for row in shop.shows()] == [2, 3, 4, 6, 7, 8, 9, 10]
    ((first, *_), (second, rule, message, lsn, number)) = shop.quarantined()
    assert (first, second, rule) == ('["5"]', '["1"]', "at_least")
    assert message == "quantity: expected at least 0; found '-7'"
    assert shop.history("lsn - '0/0', number")[0] == (lsn, number)


def test_a_row_that_is_mended_is_back_also_where_only_a_part_of_it_is_sent(shop: Shop) -> None:
    shop.does("ALTER TABLE stock ALTER name SET STORAGE EXTERNAL")
    shop.does("UPDATE stock SET quantity = -1, name = repeat('long ', 2000) WHERE article = 5")
    shop.follow()
    assert len(shop.shows()) == 9
    shop.does("UPDATE stock SET quantity = 1 WHERE article = 5")
    shop.follow()
    assert shop.shows() == shop.has()


def test_what_is_judged_does_not_depend_on_what_comes_together(shop: Shop) -> None:
    shop.follow()
    shop.does("UPDATE stock SET quantity = -7 WHERE article = 1", "UPDATE stock SET quantity = 3 WHERE article = 1")
    shop.follow()
    assert shop.shows() == shop.has()
    assert [key for key, *_ in shop.quarantined()] == ['["1"]']


@pytest.mark.parametrize("most", [1, 7, 100])
def test_a_large_transaction_is_applied_in_parts_that_commit_together(
    shop: Shop, most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(applying, "MOST_CHANGES", most)
    shop.follow()
    shop.does(
        "INSERT INTO stock SELECT n, 'x', n, n, now() FROM generate_series(11, 60) n",
        "UPDATE stock SET quantity = quantity + 1",
        "DELETE FROM stock WHERE article % 3 = 0",
    )
    shop.does("UPDATE stock SET article = article + 1000 WHERE article > 50")
    shop.follow()
    assert shop.shows() == shop.has()
    numbers = [number for (number,) in shop.history("number")]
    assert numbers[:130] == [*range(1, 131)]


def test_nothing_of_a_transaction_is_seen_before_all_of_it(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(applying, "MOST_CHANGES", 5)
    shop.follow()
    shop.does("INSERT INTO stock SELECT n, 'x', n, n, now() FROM generate_series(11, 60) n")

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("just before the commit")

    with monkeypatch.context() as patch:
        patch.setattr(applying.positions, "advance", fail)
        with pytest.raises(RuntimeError):
            shop.follow()
    assert len(shop.shows()) == 10
    shop.follow()
    assert shop.shows() == shop.has()


def test_of_two_processes_one_follows(shop: Shop) -> None:
    with (
        shop.another() as other,
        alone(other, "stock"),
        pytest.raises(UserError, match="is being fetched by another run"),
    ):
        shop.follow()
    assert shop.follow().records == 10


def test_a_run_by_the_clock_catches_up_and_leaves_it_to_a_process_that_follows(shop: Shop, store: Store) -> None:
    assert run(shop.here, store, source(), contract()).records == 10
    with shop.another() as other, alone(other, "stock"):
        ran = run(shop.here, store, source(), contract())
    assert (ran.state, ran.events) == ("nothing new", ["a process follows stock"])


def test_how_far_it_is_behind_can_be_seen(shop: Shop) -> None:
    shop.follow()
    assert lags(shop.here)["stock"].seconds == 0
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    shop.follow()
    found = lags(shop.here)["stock"]
    assert (found.bytes, found.seconds, found.changes, found.transactions) == (0, 0, 1, 1)


def test_what_happened_is_in_the_history_of_sources(shop: Shop) -> None:
    shop.does("UPDATE stock SET quantity = -1 WHERE article = 5")
    shop.follow()
    (run,) = runs.times(shop.here, "stock", 9)
    assert run["events"] == [
        "10 rows are loaded as they are now; changes are followed from there on",
        "versions of rows that break the contract, now in quarantine: 1",
    ]
