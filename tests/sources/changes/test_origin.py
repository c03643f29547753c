"""What is made at the source, and what becomes of it there."""

from pathlib import Path

import psycopg
import pytest
from followed import VARIABLE, Server, Shop, source

from lastmile.embedded import postgres as embedded_postgres
from lastmile.errors import Unreachable, UserError
from lastmile.sources.changes import positions
from lastmile.sources.changes.running import drop

SNAPSHOT = r"load all rows anew with `lastmile source run stock --snapshot`"


def slots(shop: Shop) -> list[str]:
    found = shop.there.execute("SELECT slot_name FROM pg_replication_slots WHERE database = current_database()")
    return [name for (name,) in found.fetchall()]


def changed_while_away(shop: Shop) -> None:
    shop.does(
        "UPDATE stock SET quantity = 7 WHERE article = 1",
        "DELETE FROM stock WHERE article = 2",
        "INSERT INTO stock VALUES (11, 'new', 1, 2.5, NULL)",
    )


def test_a_slot_that_was_dropped_is_said_and_a_snapshot_goes_on_from_there(shop: Shop) -> None:
    shop.follow()
    shop.there.execute("SELECT pg_drop_replication_slot(%s)", slots(shop))
    changed_while_away(shop)
    with pytest.raises(UserError, match=f"was dropped at the source, so .* cannot be had; {SNAPSHOT}"):
        shop.follow()
    assert "was dropped at the source" in str(positions.lags(shop.here)["stock"].problem)
    shop.follow(anew=True)
    assert shop.shows() == shop.has()
    assert len(slots(shop)) == 1
    assert sorted(shop.history()) == [
        ("d", '["2"]', "20", None),
        ("r", '["1"]', "10", "7"),
        ("r", '["11"]', None, "1"),
    ]
    assert positions.lags(shop.here)["stock"].problem is None
    shop.does("UPDATE stock SET quantity = 8 WHERE article = 1")
    shop.follow()
    assert shop.shows() == shop.has()


def test_a_slot_that_another_moved_on_is_said(shop: Shop) -> None:
    shop.follow()
    changed_while_away(shop)
    shop.there.execute("SELECT pg_replication_slot_advance(%s, pg_current_wal_lsn())", slots(shop))
    with pytest.raises(UserError, match=f"was moved to .* by another program, past .*; {SNAPSHOT}"):
        shop.follow()


def test_a_slot_whose_log_the_database_gave_up_is_said_and_a_snapshot_goes_on(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(embedded_postgres.SETTINGS, "max_slot_wal_keep_size", "16MB")
    monkeypatch.setitem(embedded_postgres.SETTINGS, "summarize_wal", "off")
    server = Server(tmp_path / "there")
    server.start()
    monkeypatch.setenv(VARIABLE, server.url)
    try:
        with (
            psycopg.connect(server.url, autocommit=True) as there,
            psycopg.connect(database_url, autocommit=True) as here,
        ):
            shop = Shop(there, here)
            shop.create()
            shop.follow()
            changed_while_away(shop)
            for _ in range(4):
                shop.does("UPDATE stock SET quantity = 9 WHERE article = 3")
                there.execute("SELECT pg_switch_wal()")
            there.execute("CHECKPOINT")
            with pytest.raises(UserError, match=rf"past its max_slot_wal_keep_size\), so .* cannot be had; {SNAPSHOT}"):
                shop.follow()
            shop.follow(anew=True)
            assert shop.shows() == shop.has()
            assert sorted(op for op, *_ in shop.history()) == ["d", "r", "r", "r"]
    finally:
        server.stop()


def test_another_cluster_is_not_mistaken_for_the_one_that_was_followed(shop: Shop) -> None:
    shop.follow()
    shop.here.execute("UPDATE sources.changes SET system = '1'")
    with pytest.raises(UserError, match=f"is another cluster than the one that was followed.*; {SNAPSHOT}"):
        shop.follow()


def test_a_new_snapshot_leaves_no_slot_behind(shop: Shop) -> None:
    shop.follow()
    before = slots(shop)
    shop.follow(anew=True)
    assert len(slots(shop)) == 1
    assert slots(shop) != before
    assert shop.history() == []


@pytest.mark.parametrize("where", ["the slot is made", "the rows are loaded"])
def test_a_snapshot_that_fails_is_begun_anew(shop: Shop, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from lastmile.sources.changes import snapshot

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError(where)

    with monkeypatch.context() as patch:
        if where == "the slot is made":
            patch.setattr(snapshot, "_load", fail)
        else:
            patch.setattr(snapshot.positions, "loaded", fail)
        with pytest.raises(RuntimeError):
            shop.follow()
    shop.does("UPDATE stock SET quantity = 7 WHERE article = 1")
    shop.follow()
    assert shop.shows() == shop.has()
    assert len(slots(shop)) == 1


def test_a_source_that_is_dropped_leaves_nothing_at_its_database(shop: Shop) -> None:
    shop.follow()
    assert drop(shop.here, source())
    assert slots(shop) == []
    assert shop.there.execute("SELECT count(*) FROM pg_publication").fetchone() == (0,)
    assert len(shop.shows()) == 10
    assert not drop(shop.here, source())


def test_a_publication_that_is_there_can_be_used(shop: Shop) -> None:
    shop.does("CREATE PUBLICATION ours FOR TABLE stock (article, name, quantity)")
    given = source(publication="ours")
    shop.follow(given)
    shop.does("UPDATE stock SET quantity = 7, price = 1 WHERE article = 1")
    shop.follow(given)
    assert shop.shows("article, quantity, price")[:2] == [(1, 7, None), (2, 20, None)]


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ("SELECT 1", "there is no publication 'ours'"),
        ("CREATE PUBLICATION ours", "publication 'ours' has no public.stock"),
        ("CREATE PUBLICATION ours FOR TABLE stock WHERE (article > 5)", "publication 'ours' leaves out rows"),
    ],
)
def test_a_publication_that_will_not_do_is_refused(shop: Shop, made: str, said: str) -> None:
    shop.does(made)
    with pytest.raises(UserError, match=said):
        shop.follow(source(publication="ours"))


def test_a_table_that_is_not_there_is_said(shop: Shop) -> None:
    with pytest.raises(UserError, match=r"the database has no table public\.stok"):
        shop.follow(source(table="stok"))


def test_a_user_without_the_right_of_replication_is_said(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.there.execute("CREATE ROLE weak LOGIN PASSWORD 'weak-password'")
    try:
        shop.there.execute("GRANT SELECT ON stock TO weak")
        info = shop.there.info
        url = f"postgresql://weak:weak-password@127.0.0.1:{info.port}/{info.dbname}"
        monkeypatch.setenv(VARIABLE, url)
        with pytest.raises(UserError, match="the user may not make a publication") as found:
            shop.follow()
        assert "weak-password" not in str(found.value)
        shop.does("CREATE PUBLICATION ours FOR TABLE stock")
        with pytest.raises(UserError, match="permission denied to start WAL sender"):
            shop.follow(source(publication="ours"))
    finally:
        shop.there.execute("DROP OWNED BY weak")
        shop.there.execute("DROP ROLE weak")


def test_a_database_that_is_away_is_said_without_its_password(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "postgresql://someone:pass-word@127.0.0.1:1/shop")
    with pytest.raises(Unreachable, match=r"the source's database at postgresql://127\.0\.0\.1:1/shop") as found:
        shop.follow()
    assert "pass-word" not in str(found.value)
