"""What is submitted over HTTP, record by record or file by file, until it lies in the landing area as drops.

    accept > records in Postgres > gather > objects `landing/<dataset>/<partition>/records/...` > the ledger's way

What was accepted is durable. Many requests are one commit, and the records of a second are one drop, so neither is a
bottleneck. A record has its client's own id: sent again it is the same one, with other content it is a new revision,
and the object it lies in is written anew, so that the new row replaces the old one as new bytes of any drop do.
"""

from lastmile.ingestion.submissions.submission import Accepted, Record, Submission

__all__ = ["Accepted", "Record", "Submission"]
