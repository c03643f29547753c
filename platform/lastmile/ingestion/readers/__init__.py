"""Turns one local file of any known format into batches of text records, exactly accounted for.

Every record of a file is either a row of a frame or a broken record with its reason. Nothing is guessed: the contract
decides which reading fits, and a file with two readings is refused.
"""

from lastmile.ingestion.readers.detection import open_drop
from lastmile.ingestion.readers.reader import Reader

__all__ = ["Reader", "open_drop"]
