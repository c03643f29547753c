"""Each test here runs on a folder and on an S3 server."""

import pytest

from lastmile.settings import Settings
from lastmile.store import Store, open_store


@pytest.fixture(params=["folder", "s3"])
def store(request: pytest.FixtureRequest, home: object, monkeypatch: pytest.MonkeyPatch) -> Store:
    if request.param == "s3":
        monkeypatch.setenv("LASTMILE_STORE_URL", f"{request.getfixturevalue('s3_store_url')}/a/prefix")
    return open_store(Settings.from_environment())
