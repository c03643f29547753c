"""The tables that streams and followed databases bring, by schema: what dbt and the API read of them is declared once,
with the stream or source."""

from collections.abc import Mapping
from typing import Any

from lastmile.contracts.contract import Contract
from lastmile.sources.dbt_sources import change_sources
from lastmile.sources.declarations.source import Source
from lastmile.sources.loading import load_sources
from lastmile.streaming.dbt_sources import row_change_sources, window_sources
from lastmile.streaming.declarations.loading import load_streams
from lastmile.streaming.declarations.stream import Stream

Brought = dict[str, list[dict[str, Any]]]


def brought(sources: Mapping[str, Source], streams: Mapping[str, Stream], contracts: Mapping[str, Contract]) -> Brought:
    """Tables as dbt's files of sources describe them."""
    followed = {
        table["name"]: table for table in (*row_change_sources(streams, contracts), *change_sources(sources, contracts))
    }
    return {
        "windows": window_sources(streams, contracts),
        "changes": [followed[name] for name in sorted(followed)],
    }


def declared_tables(assets: str, contracts: Mapping[str, Contract]) -> Brought:
    """Of all that the package `assets` declares."""
    return brought(load_sources(assets, contracts), load_streams(assets, contracts), contracts)
