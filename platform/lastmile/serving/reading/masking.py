"""What of personal columns is shown to who may not see them: `***`, or a pseudonym where rows are known by them.

    Veil(catalogue, secret).selection(relation, names)   -- what is selected in their place, in every format
    veil.demand(names, "where")                          -- 403 where values could be found out by filters or sorting

A pseudonym is the same in all tables, so that they can be joined, and says nothing without the installation's secret.
What was in no contract (`_rescued`) may be personal, too, and is left out.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from psycopg import sql

from lastmile.access.principal import Principal
from lastmile.access.secret import derived
from lastmile.catalogue import Catalogue
from lastmile.serving.state import Serving
from lastmile.warehouse.reading import Column, Relation
from lastmile.warehouse.reading.relations import TEXTS

MASK = "***"
RESCUED = "_rescued"
_BLOCK = 64  # bytes, of SHA-256


@dataclass(frozen=True)
class Veil:
    """`hidden` are the columns that a principal may not see, none for who may see all."""

    hidden: frozenset[str]
    keys: frozenset[str]
    secret: bytes

    def hides(self, name: str) -> bool:
        return name in self.hidden

    def demand(self, names: Iterable[str], what: str) -> None:
        """Raises HTTPException, 403, where one of the columns may not be seen."""
        if found := [name for name in names if self.hides(name)]:
            raise HTTPException(
                403,
                f"{what}: {', '.join(found)} is personal, which your role may not see, filter, sort or aggregate by;"
                " an admin can give the permission `personal`",
            )

    def selection(self, relation: Relation, names: Sequence[str] = ()) -> dict[str, sql.Composable]:
        """What is shown of each column: of those named, else of all."""
        self.demand([name for name in names if name == RESCUED], "columns")
        wanted = names or [name for name in relation.columns if name != RESCUED or not self.hides(name)]
        return {name: self._shown(relation.columns[name]) for name in wanted}

    def _shown(self, column: Column) -> sql.Composable:
        if not self.hides(column.name):
            return column.value
        if column.type not in TEXTS:
            return sql.SQL("NULL::{}").format(sql.SQL(column.type))
        if column.name in self.keys:
            return _pseudonym(column.value, self.secret)
        return sql.SQL("CASE WHEN {} IS NOT NULL THEN {} END").format(column.value, sql.Literal(MASK))

    def document(self, value: Any) -> Any:
        """JSON with what stands under a personal name masked, at any depth."""
        if not self.hidden:
            return value
        if isinstance(value, Mapping):
            return {
                name: MASK if self.hides(name) and one is not None else self.document(one)
                for name, one in value.items()
            }
        return [self.document(one) for one in value] if isinstance(value, list) else value


def veil(here: Serving, principal: Principal) -> Veil:
    found = here.catalogue()
    hidden = frozenset() if principal.may("personal") else found.personal | {RESCUED}
    return Veil(hidden, _keys(found), derived(here.secret, "pseudonyms"))


def _keys(found: Catalogue) -> frozenset[str]:
    """Columns that rows are known by, anywhere."""
    declared = [
        *(one.key for one in found.datasets.values()),
        *(one.key for one in found.relations.values()),
        *([*one.entity, *one.key] for one in found.feature_sets.values()),
    ]
    return frozenset(name for key in declared for name in key)


def _pseudonym(text: sql.Composable, secret: bytes) -> sql.Composable:
    """HMAC-SHA256, written out, since Postgres has none without an extension."""
    inner, outer = (bytes(byte ^ pad for byte in secret.ljust(_BLOCK, b"\0")) for pad in (0x36, 0x5C))
    return sql.SQL("'p_' || left(encode(sha256({} || sha256({} || convert_to({}::text, 'UTF8'))), 'hex'), 12)").format(
        sql.Literal(outer), sql.Literal(inner), text
    )


def pseudonym(value: str, secret: bytes) -> str:
    """The same, of a value at hand."""
    import hmac

    return "p_" + hmac.digest(secret, value.encode(), hashlib.sha256).hex()[:12]
