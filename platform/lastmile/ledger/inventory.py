"""The drops of a dataset as a relation that can be read like any other."""

from psycopg import Connection, sql

from lastmile.ledger.query import DropRecord
from lastmile.warehouse.reading import Relation, find


def drops_of(connection: Connection, store: str, dataset: str) -> Relation:
    """By id, the order in which they were registered."""
    ledger = find(connection, "ledger", "drops")
    known = ledger.columns if ledger else {}
    columns = {name: known[name] for name in DropRecord.__dataclass_fields__}
    query = sql.SQL("(SELECT {} FROM ledger.drops WHERE store = {} AND dataset = {})").format(
        sql.SQL(", ").join(map(sql.Identifier, columns)), sql.Literal(store), sql.Literal(dataset)
    )
    return Relation(f"raw/{dataset}", query, columns, ("id",), is_unique=True)
