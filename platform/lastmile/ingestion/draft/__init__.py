"""Writes a first contract from what files, tables or streams show, for a person to go through.

    text = draft([open_file(path) for path in files_in(paths)], "visits")

What it was made from loads with it: that is tried before it is given out.
"""

from lastmile.ingestion.draft.drafting import draft
from lastmile.ingestion.draft.files import files_in, open_file
from lastmile.ingestion.draft.source import Form, Source, of_frames

__all__ = ["Form", "Source", "draft", "files_in", "of_frames", "open_file"]
