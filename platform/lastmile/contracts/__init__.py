"""What a dataset declares, once: its columns, rules, partitions, and what becomes of what does not fit.

Its names are imported when they are first used. A command or a daemon that only needs a word of a module here would
otherwise import pandera and pandas: 1.5 CPU-s and 100 MB.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lastmile.contracts.alerts import Alert, Alerts, Route
    from lastmile.contracts.contract import Contract, Misdeclared
    from lastmile.contracts.fields import Json, column, field
    from lastmile.contracts.form import Form
    from lastmile.contracts.loading import load_contracts
    from lastmile.contracts.partition import Partition
    from lastmile.contracts.settings import Arrival, Format, Limits, Policy

__all__ = [
    "Alert",
    "Alerts",
    "Arrival",
    "Contract",
    "Form",
    "Format",
    "Json",
    "Limits",
    "Misdeclared",
    "Partition",
    "Policy",
    "Route",
    "column",
    "field",
    "load_contracts",
]

_MODULES = {
    "alerts": ("Alert", "Alerts", "Route"),
    "contract": ("Contract", "Misdeclared"),
    "fields": ("Json", "column", "field"),
    "form": ("Form",),
    "loading": ("load_contracts",),
    "partition": ("Partition",),
    "settings": ("Arrival", "Format", "Limits", "Policy"),
}


def __getattr__(name: str) -> Any:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{module}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
