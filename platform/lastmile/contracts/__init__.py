"""What a dataset declares, once: its columns, rules, partitions, and what becomes of what does not fit."""

from lastmile.contracts.contract import (
    Contract,
    Misdeclared,
    boolean,
    code,
    column,
    day,
    integer,
    moment,
    number,
    rule,
    text,
)
from lastmile.contracts.limits import Limits
from lastmile.contracts.loading import load_contracts
from lastmile.contracts.partition import Partition

__all__ = [
    "Contract",
    "Limits",
    "Misdeclared",
    "Partition",
    "boolean",
    "code",
    "column",
    "day",
    "integer",
    "load_contracts",
    "moment",
    "number",
    "rule",
    "text",
]
