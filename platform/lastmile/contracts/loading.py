"""Finding what people declared: one file each, in `<assets>/<domain>/<room>/<name>.py`."""

import importlib
import pkgutil
from collections.abc import Iterator
from types import ModuleType

from lastmile.contracts.contract import Contract


def modules(assets: str, room: str) -> Iterator[ModuleType]:
    """The modules of a room (`contracts`, `features`, ...) of every domain of the package, in order of their names."""
    for domain in _inside(importlib.import_module(assets), packages=True):
        if room in _inside(importlib.import_module(f"{assets}.{domain}")):
            folder = f"{assets}.{domain}.{room}"
            for name in _inside(importlib.import_module(folder)):
                yield importlib.import_module(f"{folder}.{name}")


def rooms(assets: str, room: str) -> Iterator[ModuleType]:
    """The room itself, as a module, of every domain of the package that has it, in order of their names."""
    for domain in _inside(importlib.import_module(assets), packages=True):
        if room in _inside(importlib.import_module(f"{assets}.{domain}")):
            yield importlib.import_module(f"{assets}.{domain}.{room}")


def load_contracts(assets: str = "assets") -> dict[str, Contract]:
    """Every contract of the package's domains, by dataset name.

    Raises ValueError where a module declares none, or two declare the same name.
    """
    contracts: dict[str, Contract] = {}
    for module in modules(assets, "contracts"):
        found = getattr(module, "contract", None)
        if not isinstance(found, Contract):
            raise ValueError(  # noqa: TRY004  (it is the file that is wrong)
                f"{module.__name__}: expected a variable `contract` of type Contract; found {found!r}"
            )
        if found.name in contracts:
            raise ValueError(f"{module.__name__}: dataset {found.name!r} is already declared in another file")
        contracts[found.name] = found
    return contracts


def _inside(package: ModuleType, packages: bool = False) -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg or not packages)
