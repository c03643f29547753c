"""pandera for polars."""

import pandera.polars as pa

__all__ = ["pa"]
