"""What a person reads when the store's URL is wrong, soon enough to still be there."""

import socket
import time
from pathlib import Path

import pytest

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.store import Store, open_store


def opened(url: str) -> Store:
    return open_store(Settings(Path(), None, url, ""))


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("/data/store", "expected it to begin with file://, s3://"),
        ("ftp://host/store", "expected it to begin with file://, s3://"),
        ("s3://", "expected s3://<bucket>"),
        ("s3:///prefix", "expected s3://<bucket>"),
        ("file://data/store", "a folder's full path after file://"),
        ("file://", "a folder's full path after file://"),
        ("az://container", "Account must be specified"),
    ],
)
def test_a_url_that_cannot_be_a_store_is_one_clear_line(url: str, expected: str) -> None:
    with pytest.raises(UserError, match="LASTMILE_STORE_URL") as refusal:
        opened(url)
    assert expected in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_folder_that_is_a_file_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"LASTMILE_STORE_URL .* cannot be used"):
        opened((tmp_path / "file" / "store").as_uri())


def test_a_folders_name_may_hold_spaces_and_signs(tmp_path: Path) -> None:
    opened((tmp_path / "a b" / "50%é").as_uri()).put("x", b"1")
    assert (tmp_path / "a b" / "50%é" / "x").read_bytes() == b"1"


def test_a_bucket_that_is_not_there_is_named(s3_store_url: str) -> None:
    with pytest.raises(UserError, match="in s3://nowhere: there is no such bucket; create it"):
        list(opened("s3://nowhere").list("landing"))
    with pytest.raises(UserError, match="in s3://nowhere: there is no such bucket; create it"):
        opened("s3://nowhere").put("a", b"1")


def test_the_url_names_the_store_with_or_without_a_final_slash(s3_store_url: str) -> None:
    assert opened(f"{s3_store_url}/").url == opened(s3_store_url).url == s3_store_url


def test_an_unreachable_endpoint_is_reported_in_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    began = time.monotonic()
    with pytest.raises(UserError, match="nothing answers; check LASTMILE_STORE_URL, AWS_ENDPOINT_URL"):
        list(opened("s3://bucket").list("landing"))
    assert time.monotonic() - began < 20


def test_the_endpoint_can_be_handed_over_instead_of_set(
    s3_store_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    import os

    endpoint = os.environ["AWS_ENDPOINT_URL"]
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    store = open_store(Settings(tmp_path, None, s3_store_url, ""), {"aws_endpoint": endpoint})
    store.put("a", b"1")
    assert store.read("a") == b"1"


@pytest.mark.parametrize("status", ["403 Forbidden", "401 Unauthorized"])
def test_a_store_that_refuses_us_points_to_the_credentials(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.getsockname()[1]}")

        def refuse() -> None:
            client, _ = server.accept()
            with client:
                client.recv(65536)
                client.sendall(f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode())

        threading.Thread(target=refuse, daemon=True).start()
        with pytest.raises(UserError, match="access is denied; check the credentials") as refusal:
            opened("s3://bucket").read("a")
    assert "very-secret" not in str(refusal.value)
