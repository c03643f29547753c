"""The newest row of each entity, found by its key in well under a millisecond: what a prediction by the API is made of.

    with frame.replace(..., also=lambda connection: online(features).fill(connection, window)): ...
    lookup(connection, features, [("KE_123",)])

The rows are those of `features.<set>`, copied by SQL in the transaction that replaces a partition, so both agree.
The same types, checks and columns hold for them as in training: those of the feature set's schema.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from psycopg import Connection, sql
from psycopg.rows import dict_row

from lastmile.learning.relations import Window, identifier, names

if TYPE_CHECKING:
    import pandas as pd
    from redis import Redis

    from lastmile.learning.declarations.feature_set import FeatureSet

#: Values of a feature set's online key: text, whole numbers or days, or any of them as text.
Key = tuple[Any, ...]


class Keyed(Protocol):
    """What says how rows are found: a feature set, its entry in the catalogue, or the online table itself."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> Sequence[str]: ...
    @property
    def newest_by(self) -> Sequence[str]: ...


#: For sorting whole rows, within the transaction: by default they go through the disk.
_MEMORY = "SET LOCAL work_mem = '256MB'"


@dataclass(frozen=True)
class OnlineTable:
    """`online.<name>`: of the rows of `features.<name>` that have the same `key`, the one that is `newest_by` these
    columns, the partition's first; rows without a key are left out."""

    name: str
    key: tuple[str, ...]
    newest_by: tuple[str, ...]

    @property
    def offline(self) -> sql.Identifier:
        return identifier(f"features.{self.name}")

    @property
    def table(self) -> sql.Identifier:
        return identifier(f"online.{self.name}")

    def fill(self, connection: Connection, window: Window) -> None:
        """After a partition of the offline table was replaced, in the same transaction.

        Only rows that changed are written; an entity that left the partition gets its newest row of earlier ones.
        """
        connection.execute(_MEMORY)
        if self._made_anew(connection):
            self._insert(connection, sql.SQL("TRUE"))
            return
        left = sql.SQL(
            "CREATE TEMPORARY TABLE left_partition ON COMMIT DROP AS SELECT {key} FROM {online} AS old WHERE {within}"
            " AND NOT EXISTS (SELECT FROM {offline} AS new WHERE {within_new} AND ({new}) = ({old}))"
        ).format(
            online=self.table,
            offline=self.offline,
            key=names(self.key),
            within=self._within(window, "old."),
            within_new=self._within(window, "new."),
            new=_of("new", self.key),
            old=_of("old", self.key),
        )
        connection.execute(left)
        in_left = sql.SQL("({}) IN (SELECT * FROM left_partition)").format(names(self.key))
        connection.execute(sql.SQL("DELETE FROM {} WHERE {}").format(self.table, in_left))
        self._insert(connection, self._within(window))
        self._insert(connection, in_left)
        connection.execute("DROP TABLE left_partition")

    def drop(self, connection: Connection) -> None:
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(self.table))

    def newest(self, where: sql.Composable) -> sql.Composed:
        """The query of what the online table holds, made of the offline rows that `where` lets through."""
        present = sql.SQL(" AND ").join(sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in self.key)
        order = [sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(name)) for name in self.newest_by]
        query = sql.SQL("SELECT DISTINCT ON ({}) * FROM {} WHERE {} AND {} ORDER BY {}")
        ordered = sql.SQL(", ").join([names(self.key), *order])
        return query.format(names(self.key), self.offline, present, where, ordered)

    def differences(self, connection: Connection) -> int:
        """Rows of the online table that are not the newest ones of the offline table, and the other way round.

        Sums of hashes are compared first: a second or two for a million rows.
        """
        sides = {"offline": self.newest(sql.SQL("TRUE")), "online": sql.SQL("SELECT * FROM {}").format(self.table)}
        summed = sql.SQL("SELECT count(*), sum(hash_record_extended(found, 0)) FROM ({}) AS found")
        with connection.transaction():
            connection.execute(_MEMORY)
            offline, online = (connection.execute(summed.format(side)).fetchone() for side in sides.values())
        if offline == online:
            return 0
        unlike = sql.SQL(
            "SELECT count(*) FROM ((({offline}) EXCEPT ALL ({online})) UNION ALL (({online}) EXCEPT ALL ({offline})))"
        )
        row = connection.execute(unlike.format(**sides)).fetchone()
        return int(row[0]) if row else 0

    def _insert(self, connection: Connection, where: sql.Composable) -> None:
        columns = [name for name, _ in _columns(connection, f"features.{self.name}")]
        query = sql.SQL(
            "INSERT INTO {online} AS old ({columns}) {newest} ON CONFLICT ({key}) DO UPDATE SET ({columns}) ="
            " ROW({new}) WHERE old.{day} <= excluded.{day} AND ({old}) IS DISTINCT FROM ({new})"
        ).format(
            online=self.table,
            columns=names(columns),
            newest=self.newest(where),
            key=names(self.key),
            old=_of("old", columns),
            new=_of("excluded", columns),
            day=sql.Identifier(self.newest_by[0]),
        )
        connection.execute(query)

    def _within(self, window: Window, of: str = "") -> sql.Composed:
        day, (start, end) = sql.SQL(of) + sql.Identifier(self.newest_by[0]), map(sql.Literal, window)
        return sql.SQL("{day} >= {start} AND {day} < {end}").format(day=day, start=start, end=end)

    def _made_anew(self, connection: Connection) -> bool:
        """Whether it had to be made: there was none, or its columns were others than those of the offline table."""
        offline, online = (_columns(connection, f"{schema}.{self.name}") for schema in ("features", "online"))
        if offline == online and _unique_key(connection, f"online.{self.name}") == set(self.key):
            return False
        made = sql.SQL("DROP TABLE IF EXISTS {0}; CREATE TABLE {0} (LIKE {1}, PRIMARY KEY ({2}))")
        connection.execute(made.format(self.table, self.offline, names(self.key)))
        connection.execute(sql.SQL("CREATE INDEX ON {} ({})").format(self.table, sql.Identifier(self.newest_by[0])))
        return True


def online(features: Keyed) -> OnlineTable:
    return OnlineTable(features.name, tuple(features.key), tuple(features.newest_by))


def newest(source: "Connection | Redis", features: Keyed, keys: Sequence[Key]) -> list[dict[str, Any] | None]:
    """The newest row of each key as it is kept, None for an entity that is not known; in the order of the keys."""
    if not isinstance(source, Connection):
        from lastmile.learning.features import online_redis

        return online_redis.newest(source, features, keys)
    table = online(features)
    wanted = sql.SQL(", ").join(
        sql.SQL("({})").format(sql.SQL(", ").join(map(sql.Literal, map(str, key)))) for key in keys
    )
    query = sql.SQL("SELECT * FROM {} WHERE ({}) IN ({})").format(table.table, names(table.key), wanted)
    with source.cursor(row_factory=dict_row) as cursor:
        rows = cursor.execute(query).fetchall() if keys else []
    found = {tuple(str(row[name]) for name in table.key): row for row in rows}
    return [found.get(tuple(map(str, key))) for key in keys]


def lookup(source: "Connection | Redis", features: "FeatureSet", keys: Sequence[Key]) -> "pd.DataFrame":
    """The same as a frame in the schema's types, validated, without the entities that are not known: what a model is
    given. Raises pandera's SchemaError where a row is not as the schema declares."""
    import pandas as pd

    found = [row for row in newest(source, features, keys) if row is not None]
    schema = features.schema.to_schema()
    schema.coerce = True
    frame: pd.DataFrame = schema.validate(pd.DataFrame(found, columns=list(schema.columns)))
    return frame


def _of(table: str, columns: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(table, name) for name in columns)


def _columns(connection: Connection, table: str) -> list[tuple[str, str]]:
    return connection.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(%s) AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [table],
    ).fetchall()


def _unique_key(connection: Connection, table: str) -> set[str]:
    found = connection.execute(
        "SELECT attname FROM pg_index JOIN pg_attribute ON attrelid = indrelid AND attnum = ANY (indkey)"
        " WHERE indrelid = to_regclass(%s) AND indisprimary",
        [table],
    )
    return {name for (name,) in found.fetchall()}
