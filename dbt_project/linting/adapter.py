"""What sqlfluff takes for dbt's `adapter`: a macro that differs by warehouse is read as a function of its arguments."""

from collections.abc import Callable


def dispatch(name: str) -> Callable[..., str]:
    return lambda *arguments: f"{name}({', '.join(map(str, arguments))})"
