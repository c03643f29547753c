"""A cleaned file holds all rows written to it, or does not exist."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq
import pytest

from lastmile.ingestion.writers import ParquetFile

FRAME = pl.DataFrame({"hhid": ["a", None], "n": [1, 2]})


def test_frames_written_one_after_another_are_read_back_as_one(tmp_path: Path):
    with ParquetFile(tmp_path / "part.parquet") as part:
        part.write(FRAME)
        part.write(FRAME.clear())
        part.write(FRAME)
    assert part.rows == 4
    assert pl.read_parquet(tmp_path / "part.parquet").equals(pl.concat([FRAME, FRAME]))


def test_every_frame_is_written_immediately_in_groups_that_fit_in_memory(tmp_path: Path):
    with ParquetFile(tmp_path / "part.parquet") as part:
        part.write(pl.DataFrame({"n": range(50_000)}))
        part.write(pl.DataFrame({"n": range(150_000)}))
    file = pq.ParquetFile(tmp_path / "part.parquet").metadata
    assert [file.row_group(group).num_rows for group in range(file.num_row_groups)] == [50_000, 100_000, 50_000]
    assert file.row_group(0).column(0).compression == "LZ4"


def test_nothing_written_is_no_file(tmp_path: Path):
    with ParquetFile(tmp_path / "part.parquet") as part:
        pass
    assert part.rows == 0
    assert list(tmp_path.iterdir()) == []


def write_then_fail(part):
    part.write(FRAME)
    part.write(FRAME.select("no such column"))


def test_an_error_in_between_leaves_no_file(tmp_path: Path):
    with pytest.raises(pl.exceptions.ColumnNotFoundError), ParquetFile(tmp_path / "part.parquet") as part:
        write_then_fail(part)
    assert list(tmp_path.iterdir()) == []
