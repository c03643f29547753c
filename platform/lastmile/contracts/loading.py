"""Finding what people declared: one file each, in `<assets>/<domain>/<room>/<name>.py`.

Such a file is anyone's Python, so it may fail in any way when it is imported: it then costs itself alone, and is named.
"""

import importlib
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

from lastmile.contracts.alerts import Route
from lastmile.contracts.broken import Broken, Declarations, broken_by
from lastmile.contracts.contract import Contract
from lastmile.contracts.form import Form, check

#: The file that says where alerts go.
_ALERTING = "alerting"

T = TypeVar("T")
D = TypeVar("D")


def load_contracts(assets: str = "assets") -> Declarations[Contract]:
    """Every contract of the package's domains, by dataset name; those that cannot be used are its `broken`.

    Where two files declare the same dataset, that named as the dataset counts, else the first. Raises ImportError
    where there is no such package.
    """
    return load(assets, "contracts", "contract", Contract, lambda module, contract: contract)


def load_forms(assets: str, contracts: Mapping[str, Contract]) -> Declarations[Form]:
    """The variable `form` of every file in a domain's `forms/`, by name; see `load_contracts`. One that names datasets
    or columns that there are not is broken."""
    columns = {name: contract.columns.keys() for name, contract in contracts.items()}

    def checked(_: ModuleType, form: Form) -> Form:
        check(form, columns)
        return form

    return load(assets, "forms", "form", Form, checked)


def load_routes(assets: str) -> tuple[tuple[Route, ...], list[Broken]]:
    """The variable `routes` of the package's file `alerting.py`, in order; none where there is no such file, or where
    it cannot be used, which is said."""
    name, broken = f"{assets}.{_ALERTING}", list[Broken]()
    if _ALERTING not in _inside(importlib.import_module(assets)):
        return (), broken
    module = _try_import(assets, "routes", name, broken)
    if module is None:
        return (), broken
    found = getattr(module, "routes", None)
    if isinstance(found, tuple) and all(isinstance(one, Route) for one in found):
        return found, broken
    why = f"expected a variable `routes`, a tuple of Route; found {found!r}"
    return (), [Broken("route", str(_file(module).relative_to(_root(assets))), why)]


def load(
    assets: str, room: str, variable: str, kind: type[T], declared: Callable[[ModuleType, T], D]
) -> Declarations[D]:
    """What the variable of that name in each file of a room is, as `declared` makes it, by the name it has."""
    found: Declarations[D] = Declarations()
    for module in _loaded(assets, room, found.broken):
        file, root = _file(module), _root(assets)
        value = getattr(module, variable, None)
        if not isinstance(value, kind):
            why = f"expected a variable `{variable}` of type {kind.__name__}; found {value!r}"
            found.broken.append(Broken(room.removesuffix("s"), str(file.relative_to(root)), why, names=(file.stem,)))
            continue
        name = str(getattr(value, "name", file.stem))
        try:
            one = declared(module, value)
        except Exception as error:
            found.broken.append(broken_by(room.removesuffix("s"), file, root, error))
            continue
        here = str(file.relative_to(root))
        if name not in found or file.stem == name:
            other = found.files.get(name)
            found[name], found.files[name] = one, here
        else:
            other, here = here, found.files[name]
        if other:
            why = f"{kind.__name__} {name!r} is declared in {here} already; give it another name, or delete one"
            found.broken.append(Broken(room.removesuffix("s"), other, why))
    return found


def rooms(assets: str, room: str) -> Iterator[ModuleType]:
    """The room itself, as a module, of every domain of the package that has it, in order of their names."""
    for domain in _inside(importlib.import_module(assets), packages=True):
        if room in _inside(importlib.import_module(f"{assets}.{domain}")):
            yield importlib.import_module(f"{assets}.{domain}.{room}")


def _loaded(assets: str, room: str, broken: list[Broken]) -> Iterator[ModuleType]:
    """The modules of a room (`contracts`, `features`, ...) of every domain, in order of their names, that load."""
    package = importlib.import_module(assets)
    for domain in _inside(package, packages=True):
        folder = _try_import(assets, room, f"{assets}.{domain}", broken)
        if folder is None or room not in _inside(folder):
            continue
        within = _try_import(assets, room, f"{assets}.{domain}.{room}", broken)
        for name in _inside(within) if within else ():
            if module := _try_import(assets, room, f"{assets}.{domain}.{room}.{name}", broken):
                yield module


def _try_import(assets: str, room: str, name: str, broken: list[Broken]) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except (KeyboardInterrupt, GeneratorExit):
        raise
    except BaseException as error:  # it may leave with sys.exit, or a panic of compiled code
        path = _root(assets).joinpath(*name.split("."))
        file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
        broken.append(broken_by(room.removesuffix("s"), file, _root(assets), error))
        return None


def _root(assets: str) -> Path:
    """The folder that the package lies in."""
    (folder, *_) = importlib.import_module(assets).__path__
    return Path(folder).resolve().parents[assets.count(".")]


def _file(module: ModuleType) -> Path:
    return Path(str(module.__file__)).resolve()


def _inside(package: ModuleType, packages: bool = False) -> list[str]:
    return sorted(info.name for info in pkgutil.iter_modules(package.__path__) if info.ispkg or not packages)
