"""Where judged rows go: a Parquet file, the dataset's table, the quarantine. None of it commits anything."""

from lastmile.intake.writing.long_copy import Aside, LongCopy
from lastmile.intake.writing.parquet import ParquetPart
from lastmile.intake.writing.quarantine import Kind, quarantine_rows
from lastmile.intake.writing.table import RowCopy

__all__ = ["Aside", "Kind", "LongCopy", "ParquetPart", "RowCopy", "quarantine_rows"]
