"""What a dataset declares, once: its columns, rules, partitions, and what becomes of what does not fit."""

from lastmile.contracts.contract import Contract, Misdeclared
from lastmile.contracts.fields import Json, column, field
from lastmile.contracts.loading import load_contracts
from lastmile.contracts.partition import Partition
from lastmile.contracts.settings import Arrival, Format, Limits, Policy

__all__ = [
    "Arrival",
    "Contract",
    "Format",
    "Json",
    "Limits",
    "Misdeclared",
    "Partition",
    "Policy",
    "column",
    "field",
    "load_contracts",
]
