"""The test files of one of several machines: `python -m shards 2 4` prints those of the second of four.

Each file goes to the shard with the least so far, the longest first; how long one takes is estimated by its size.
"""

import sys
from collections.abc import Mapping
from pathlib import Path

FOLDER = Path(__file__).parent


def shard(sizes: Mapping[str, int], number: int, of: int) -> list[str]:
    """The names in shard `number`, counted from 1."""
    shards: list[list[str]] = [[] for _ in range(of)]
    loads = [0] * of
    for name in sorted(sizes, key=lambda name: (-sizes[name], name)):
        least = loads.index(min(loads))
        shards[least].append(name)
        loads[least] += sizes[name]
    return sorted(shards[number - 1])


def sizes() -> dict[str, int]:
    """Bytes of each test file, by its path in the project."""
    found = FOLDER.rglob("test_*.py")
    return {str(file.relative_to(FOLDER.parent)): file.stat().st_size for file in found}


if __name__ == "__main__":
    print(*shard(sizes(), int(sys.argv[1]), int(sys.argv[2])))
