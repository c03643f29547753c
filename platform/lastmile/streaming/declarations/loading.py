"""Finding the streams that the domains of a package declare."""

from collections.abc import Mapping
from types import ModuleType

from lastmile.contracts.broken import Broken, Declarations
from lastmile.contracts.contract import Contract
from lastmile.contracts.loading import load
from lastmile.contracts.lookup import contract_of
from lastmile.errors import UserError
from lastmile.streaming.declarations.stream import Stream


def load_streams(assets: str, contracts: Mapping[str, Contract] | None) -> Declarations[Stream]:
    """The variable `stream` of every file in a domain's `streams/`, by name; see `load_contracts`.

    One that does not fit its contract, or the stream it joins, is broken, and so is the second of two with a window or
    join of the same name. Where contracts are None, which are yet to be written, nothing is held to them.
    """

    def checked(_: ModuleType, stream: Stream) -> Stream:
        if contracts is not None:
            stream.expect_fits(contract_of(stream.contract, contracts))
        return stream

    found = load(assets, "streams", "stream", Stream, checked)
    owners: dict[str, str] = {}
    for name in list(found):
        for window in (*found[name].windows, *found[name].joins):
            other = owners.setdefault(window.name, name)
            if other != name and name in found:
                why = f"window or join {window.name!r} is declared by stream {other!r} already; give it another name"
                found.broken.append(Broken("stream", found.files[name], why, names=(name,)))
                del found[name]
    if contracts is None:
        return found
    for name in list(found):
        if unfit := _unfit_join(found[name], found, contracts):
            found.broken.append(Broken("stream", found.files[name], unfit, names=(name,)))
            del found[name]
    return found


def _unfit_join(stream: Stream, streams: Mapping[str, Stream], contracts: Mapping[str, Contract]) -> str | None:
    for join in stream.joins:
        other = streams.get(join.stream)
        if other is None:
            return f"join {join.name!r}: no stream {join.stream!r}; there are: {', '.join(sorted(streams))}"
        ours, theirs = (one.schema(contract_of(one.contract, contracts)) for one in (stream, other))
        try:
            join.expect_fits(ours, theirs)
        except ValueError as error:
            return str(error)
    return None


def stream_of(name: str, streams: Declarations[Stream]) -> Stream:
    """Raises UserError, with the names there are, where none has the name, or its file is broken."""
    if name in streams:
        return streams[name]
    if broken := next((one for one in streams.broken if name in one.names), None):
        raise UserError(f"{broken}; correct that file")
    raise UserError(f"no stream {name!r}; there are: {', '.join(sorted(streams)) or 'none'}")
