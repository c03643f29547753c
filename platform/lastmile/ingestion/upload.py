"""Files into the landing area, under the keys from which discovery finds them; every name is checked first."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import IO, TYPE_CHECKING, BinaryIO

from lastmile.errors import UserError
from lastmile.store import Store
from lastmile.store.folder import not_a_file
from lastmile.store.landing import LANDING, is_unfinished, name_problem, printable

if TYPE_CHECKING:
    from lastmile.contracts.contract import Contract

_BLOCK = 1024 * 1024


def upload(store: Store, contract: "Contract", partition: str, name: str, source: Path | BinaryIO) -> str:
    """Put one file or stream as `landing/<dataset>/<partition>/<name>`; returns the key.

    The same name with other bytes is a new version, which replaces the old rows. Raises UserError, with nothing
    written, where the partition or the name cannot be one, the file cannot be read, or a stream has more bytes than
    the contract allows. A stream goes through a temporary file, so its memory is constant.
    """
    key = f"{prefix(contract, partition)}{checked_name(name)}"
    if isinstance(source, Path):
        check_readable(source)
        store.put(key, source)
        return key
    with NamedTemporaryFile(prefix="lastmile-") as file:
        _spool(source, file, contract.limits.bytes)
        store.put(key, Path(file.name))
    return key


def prefix(contract: "Contract", partition: str) -> str:
    """Where the partition's files land. Raises UserError for a partition the dataset cannot have."""
    try:
        contract.partition.window(partition)
    except ValueError as error:
        raise UserError(f"{contract.name}: {error}") from None
    return f"{LANDING}{contract.name}/{partition}/"


def checked_name(name: str) -> str:
    """The name, where it can be one of a file in the landing area that is ingested. Raises UserError."""
    if problem := name_problem(name):
        raise UserError(f"{printable(name)!r} cannot be a name in the landing area: {problem}")
    if is_unfinished(name):
        raise UserError(
            f"{name!r} looks hidden, or in a folder that is, or still being written, and would be left alone; give it"
            " another name with --as"
        )
    return name


def named_files(paths: Sequence[Path]) -> Mapping[str, Path]:
    """Files, and those inside folders, by the name each gets. Raises UserError before anything is uploaded."""
    files: dict[str, Path] = {}
    for path in paths:
        for inner, file in _files_of(path):
            if inner in files:
                raise UserError(
                    f"{files[inner]} and {file} would both be called {inner!r}; drop them one by one with --as"
                )
            files[checked_name(inner)] = file
    return files


def check_readable(path: Path) -> None:
    """Raises UserError where the file cannot be read; a pipe would be waited for, a device has no end."""
    try:
        kind = "a folder" if path.is_dir() else not_a_file(path)
        if kind:
            raise UserError(f"{path} is {kind}: expected a file, or a folder of files")
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from None


def _spool(stream: BinaryIO, file: IO[bytes], most: int) -> None:
    size = 0
    while block := stream.read(_BLOCK):
        size += len(block)
        if size > most:
            raise UserError(
                f"expected at most {most:,} bytes, found more; send smaller files, or raise the contract's limits.bytes"
            )
        file.write(block)
    file.flush()


def _files_of(path: Path) -> Iterator[tuple[str, Path]]:
    if not path.exists():
        raise UserError(f"no file or folder {path}")
    if not path.is_dir():
        yield path.name, path
        return
    inside = sorted(file for file in path.rglob("*") if file.is_file())
    if not inside:
        raise UserError(f"{path} is a folder without files; name the files to drop, or a folder that has some")
    for file in inside:
        yield file.relative_to(path).as_posix(), file
