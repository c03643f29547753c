"""Objects: landing area, cleaned files, model artifacts, reports; in S3, GCS, Azure or a folder, with one API."""

from lastmile.store.backends import open_store
from lastmile.store.download import PinnedFile
from lastmile.store.objects import Store
from lastmile.store.stored_object import Changed, Denied, Missing, StoredObject

__all__ = ["Changed", "Denied", "Missing", "PinnedFile", "Store", "StoredObject", "open_store"]
