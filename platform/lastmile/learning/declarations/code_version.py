"""The version of the code a declaration is written in.

It changes with what the file does, and with the files of the same package that it imports; not with comments or layout.
"""

import ast
import hashlib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from types import ModuleType


def code_version(module: ModuleType) -> str:
    """Twelve hex digits of the module's code and of what it imports from its own top-level package."""
    code = [f"{name}\n{ast.unparse(_tree(found))}" for name, found in sorted(_with_imports(module).items())]
    return hashlib.sha256("\n".join(code).encode()).hexdigest()[:12]


def _with_imports(module: ModuleType) -> dict[str, ModuleType]:
    found, waiting = {}, [module]
    while waiting:
        here = waiting.pop()
        if here.__name__ not in found:
            found[here.__name__] = here
            waiting += _imports(here)
    return found


def _imports(module: ModuleType) -> Iterator[ModuleType]:
    own = module.__name__.partition(".")[0]
    for node in ast.walk(_tree(module)):
        for name in _names(node, module):
            if name.partition(".")[0] == own and name in sys.modules:
                yield sys.modules[name]


def _names(node: ast.AST, module: ModuleType) -> Iterator[str]:
    """What an import statement may refer to: modules, and what may be a module in a package."""
    if isinstance(node, ast.Import):
        yield from (alias.name for alias in node.names)
    elif isinstance(node, ast.ImportFrom):
        stated = "." * node.level + (node.module or "")
        source = importlib.util.resolve_name(stated, module.__package__)
        yield source
        yield from (f"{source}.{alias.name}" for alias in node.names)


def _tree(module: ModuleType) -> ast.Module:
    return ast.parse(inspect.getsource(module) if module.__file__ else "")
