"""What production leaves of the dbt project in the store, for others to find: the manifest it was last built from, and
the documentation."""

from pathlib import Path

from lastmile.store import Missing, Store

DOCUMENTATION = "reports/dbt/index.html"
_MANIFEST = "dbt/production/manifest.json"


def publish_manifest(store: Store, manifest: Path) -> None:
    store.put(_MANIFEST, manifest)


def fetch_manifest(store: Store, file: Path) -> bool:
    """Write it to `file`; false where production was never built."""
    try:
        file.write_bytes(store.read(_MANIFEST))
    except Missing:
        return False
    return True
