"""Objects: landing area, cleaned files, model artifacts, reports; in S3, GCS, Azure or a folder, with one API."""

from lastmile.store.arriving import ArrivingFile, Pinned, Source
from lastmile.store.backends import open_at, open_store
from lastmile.store.held import HeldFile
from lastmile.store.objects import Store
from lastmile.store.stored_object import Changed, Denied, Missing, StoredObject
from lastmile.store.transfer import PinnedFile, Upload

__all__ = [
    "ArrivingFile",
    "Changed",
    "Denied",
    "HeldFile",
    "Missing",
    "Pinned",
    "PinnedFile",
    "Source",
    "Store",
    "StoredObject",
    "Upload",
    "open_at",
    "open_store",
]
