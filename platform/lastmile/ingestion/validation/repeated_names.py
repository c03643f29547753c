"""Names for columns that a file gives none of their own, the same in every format.

The first `x` of a header keeps its name, the next are `x (2)`, `x (3)`; a third column without a name is `column 3`.
A contract can declare them as aliases. Being made up they stand for nothing that is only similar to them.
"""

import re
from collections import Counter
from collections.abc import Sequence

from lastmile.contracts.names import is_unnamed

_NUMBERED, _PLACED = re.compile(r"(.+) \((\d+)\)", re.DOTALL), re.compile(r"column (\d+)(?: \(\d+\))?")


def distinguished(names: Sequence[str]) -> list[str]:
    """The names, each once; those that are unique already are left as they are."""
    placed = [f"column {place}" if is_unnamed(name) else name for place, name in enumerate(names, 1)]
    times = Counter(placed)
    if len(times) == len(placed):
        return placed
    own, seen = set(placed), Counter[str]()
    unique = []
    for name in placed:
        seen[name] += 1
        while seen[name] > 1 and f"{name} ({seen[name]})" in own:
            seen[name] += 1
        unique.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return unique


def made_up(names: Sequence[str]) -> set[str]:
    """Those of a header's distinguished names that `distinguished` may have made."""
    own = set(names)
    numbered = {name for name in names if (base := _NUMBERED.fullmatch(name)) and base[1] in own}
    placed = {
        name for place, name in enumerate(names, 1) if (found := _PLACED.fullmatch(name)) and int(found[1]) == place
    }
    return numbered | placed
