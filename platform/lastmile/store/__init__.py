"""Objects: landing area, cleaned files, model artifacts, reports; in S3, GCS, Azure or a folder, through one API."""

from lastmile.store.backends import open_store
from lastmile.store.objects import Changed, Missing, PinnedFile, Store, StoredObject

__all__ = ["Changed", "Missing", "PinnedFile", "Store", "StoredObject", "open_store"]
