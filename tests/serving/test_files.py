"""Files over HTTP: streamed at constant memory, once each, and piece by piece over lines that break."""

import base64
import hashlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from api_process import api_process
from sending import until
from tusclient import client as tus
from visits import HEADER, Site

from lastmile.access import keys
from lastmile.ingestion.submissions import uploads
from lastmile.serving.routers.ingest import uploads as router
from lastmile.serving.state import Serving

FILES = "/datasets/visits/files?partition=2020"
UPLOADS = "/datasets/visits/uploads?partition=2020"
MEGABYTE = 2**20


@pytest.fixture
def device(api) -> Iterator[httpx.Client]:
    with api.to("device") as client:
        yield client


@pytest.fixture
def key(here: Serving) -> str:
    """Of a device; the API's own process has the same database."""
    here.open()
    with here.writing() as connection:
        found = keys.create(connection, here.secret, "tablet", "device", "test", datasets=["visits"])[0]
    here.close()
    return found


def csv(*visits: str) -> bytes:
    return "\n".join([HEADER, *(f"{visit},3,2,1,done" for visit in visits)]).encode() + b"\n"


def rows(megabytes: int) -> Iterator[bytes]:
    """A file of about that size."""
    yield f"{HEADER}\n".encode()
    for block in range(megabytes):
        yield b"".join(b"v%03d-%06d,3,2,1,done\n" % (block, number) for number in range(MEGABYTE // 25))


def ingested(site: Site) -> None:
    site.discover()
    site.take()


def landed(site: Site) -> list[str]:
    return [found.key for found in site.store.list("landing/")]


def test_a_file_lands_and_its_job_follows_it(site: Site, device: httpx.Client) -> None:
    answer = device.post(FILES, content=csv("v1", "v2"))
    assert answer.status_code == 202, answer.text
    url = answer.json()["url"].removeprefix("/api/v1")
    assert device.get(url).json()["state"] == "landed"
    ingested(site)
    job = device.get(url).json()
    assert (job["state"], job["rows"]["loaded"], job["kind"]) == ("loaded", 2, "file")
    assert job["key"] in landed(site)
    assert site.visits() == ["v1", "v2"]


def test_a_file_of_a_form_has_its_own_name(site: Site, device: httpx.Client) -> None:
    files = {"note": (None, "hello"), "file": ("a/b visits.csv", csv("v1"), "text/csv")}
    answer = device.post(FILES, files=files)
    assert answer.status_code == 202
    (key,) = landed(site)
    assert key == f"landing/visits/2020/{answer.json()['job']}-b visits.csv"
    ingested(site)
    assert site.visits() == ["v1"]
    assert device.post(FILES, files={"note": (None, "hello")}).status_code == 400
    broken = device.post(FILES, content=b"nothing", headers={"Content-Type": "multipart/form-data; boundary=x"})
    assert broken.status_code == 400


def test_a_given_name_again_is_a_new_version(site: Site, device: httpx.Client) -> None:
    for visit in ("v1", "v2"):
        assert device.post(f"{FILES}&name=mine.csv", content=csv(visit)).status_code == 202
        ingested(site)
    assert site.visits() == ["v2"]


@pytest.mark.parametrize("name", ["../a.csv", "a/../../b.csv", ".hidden", "a.tmp", "records/a.jsonl", "a\\b", "a//b"])
def test_a_name_that_leads_elsewhere_or_is_never_read_is_refused(site: Site, device: httpx.Client, name: str) -> None:
    answer = device.post(FILES, params={"partition": "2020", "name": name}, content=csv("v1"))
    assert answer.status_code == 409
    assert landed(site) == []


def test_ten_sends_at_once_with_one_idempotency_key_are_one(site: Site, api) -> None:
    headers = {"Authorization": f"Bearer {api.key('device')}", "Idempotency-Key": "one"}

    def send(body: bytes) -> httpx.Response:
        return api(f"/api/v1{FILES}", "POST", content=body, headers=headers)

    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(send, [csv("v1")] * 10))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.json()["job"] for answer in answers}) == 1
    assert send(csv("v2")).status_code == 409
    ingested(site)
    assert site.visits() == ["v1"]
    assert len(landed(site)) == 1


def test_a_digest_is_verified(site: Site, device: httpx.Client) -> None:
    body = csv("v1")
    right = f"sha-256=:{base64.b64encode(hashlib.sha256(body).digest()).decode()}:"
    wrong = f"sha-256=:{base64.b64encode(hashlib.sha256(b'').digest()).decode()}:"
    for header in ("Content-Digest", "Repr-Digest"):
        assert device.post(FILES, content=body, headers={header: right}).status_code == 202
        assert device.post(FILES, content=body, headers={header: wrong}).status_code == 400
        assert device.post(FILES, content=body, headers={header: "nonsense"}).status_code == 400
    assert len(landed(site)) == 2


def test_more_bytes_than_the_dataset_may_have_are_refused_while_they_arrive(
    site: Site, api, device: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"visits": api.here.catalogue().datasets["visits"].model_copy(update={"most_bytes": 100})}
    catalogue = api.here.catalogue().model_copy(update={"datasets": small})
    monkeypatch.setattr(api.here, "catalogue_at_hand", lambda: catalogue)
    assert device.post(FILES, content=rows(1)).status_code == 413
    assert device.post(UPLOADS, headers={"Upload-Length": "101"}).status_code == 413
    assert device.post(FILES, content=csv("v1")).status_code == 202
    assert len(landed(site)) == 1


def test_a_broken_connection_leaves_nothing(site: Site, api) -> None:
    send_part(api.url, "POST", f"/api/v1{FILES}", api.key("device"), 1_000, csv("v1"))
    time.sleep(0.5)
    assert landed(site) == []
    assert site.query("SELECT count(*) AS n FROM submissions.jobs") == [{"n": 0}]


def test_200_megabytes_are_streamed_at_constant_memory(site: Site, here: Serving, key: str) -> None:
    with api_process(LASTMILE_DATABASE_URL=site.database_url) as process:
        headers = {"Authorization": f"Bearer {key}"}
        small = httpx.post(f"{process.url}/api/v1{FILES}", content=csv("v1"), headers=headers, timeout=60)
        assert small.status_code == 202
        before = process.peak_memory()
        began = time.perf_counter()
        large = httpx.post(f"{process.url}/api/v1{FILES}", content=rows(200), headers=headers, timeout=120)
        seconds = time.perf_counter() - began
        assert large.status_code == 202
        grown = process.peak_memory() - before
    print(f"200 MB in {seconds:.1f} s; peak grew {grown / MEGABYTE:.1f} MB from {before / MEGABYTE:.0f} MB")
    assert grown < 16 * MEGABYTE


def begun(client: httpx.Client, length: int, filename: str = "visits.csv") -> str:
    """Path of a new upload."""
    metadata = f"filename {base64.b64encode(filename.encode()).decode()}"
    answer = client.post(UPLOADS, headers={"Upload-Length": str(length), "Upload-Metadata": metadata})
    assert answer.status_code == 201, answer.text
    return answer.headers["Location"].removeprefix("/api/v1")


def piece(client: httpx.Client, path: str, offset: int, data: bytes, **more: str) -> httpx.Response:
    headers = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"} | more
    return client.patch(path, content=data, headers=headers)


def offset_of(client: httpx.Client, path: str) -> int:
    return int(client.head(path).headers["Upload-Offset"])


def send_part(url: str, method: str, path: str, key: str, length: int, data: bytes, **headers: str) -> None:
    """A request whose connection ends after `data` of `length` bytes."""
    host = url.removeprefix("http://")
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", f"Authorization: Bearer {key}", f"Content-Length: {length}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    with socket.create_connection(host.split(":")) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + data)
        time.sleep(0.3)


@pytest.mark.every_store
def test_a_real_client_of_tus_sends_a_file_in_pieces(site: Site, api, tmp_path: Path) -> None:
    file = tmp_path / "visits.csv"
    file.write_bytes(b"".join(rows(3)))
    client = tus.TusClient(f"{api.url}/api/v1{UPLOADS}", headers={"Authorization": f"Bearer {api.key('device')}"})
    uploader = client.uploader(str(file), chunk_size=500_000, metadata={"filename": "visits.csv"}, upload_checksum=True)
    uploader.upload_chunk()
    again = client.uploader(str(file), chunk_size=MEGABYTE, url=uploader.url)
    assert again.offset == 500_000
    again.upload()
    (key,) = landed(site)
    assert site.store.read(key) == file.read_bytes()
    assert key.endswith("-visits.csv")
    assert list(site.store.list("uploads/")) == []


def test_what_arrived_before_the_line_broke_is_kept_to_the_last_byte(site: Site, api) -> None:
    key = api.key("device")
    client = httpx.Client(base_url=f"{api.url}/api/v1", headers={"Authorization": f"Bearer {key}"})
    body = b"".join(rows(10))
    path = begun(client, len(body))
    part = body[: 9 * MEGABYTE + 17]
    headers = {"Upload_Offset": "0", "Content_Type": "application/offset+octet-stream"}
    send_part(api.url, "PATCH", f"/api/v1{path}", key, len(body), part, **headers)
    until(lambda: offset_of(client, path) == len(part))
    assert piece(client, path, len(part), body[len(part) :]).status_code == 204
    job = client.get(path.replace("uploads", "jobs")).json()
    assert (job["state"], job["bytes"]) == ("landed", len(body))
    assert site.store.read(job["key"]) == body


def test_a_piece_out_of_place_is_refused_with_the_place(device: httpx.Client) -> None:
    path = begun(device, 10)
    assert piece(device, path, 0, b"12345").headers["Upload-Offset"] == "5"
    refused = piece(device, path, 3, b"45678")
    assert (refused.status_code, "5" in refused.json()["detail"]) == (409, True)
    assert piece(device, path, 5, b"1234567").status_code == 400
    assert device.patch(path, content=b"1", headers={"Upload-Offset": "5"}).status_code == 415
    assert device.head(path, headers={"Tus-Resumable": "0.2.2"}).status_code == 412


@pytest.mark.every_store
def test_two_requests_that_write_the_same_place_are_one_and_a_refusal(api, here: Serving, device: httpx.Client) -> None:
    path = begun(device, 100)
    upload_id = path.rsplit("/", 1)[-1]
    uploads.add(here.store, upload_id, 0, b"a" * 40)
    with pytest.raises(FileExistsError):
        uploads.add(here.store, upload_id, 0, b"b" * 50)
    assert offset_of(device, path) == 40


def test_a_checksum_that_is_wrong_stores_nothing(device: httpx.Client) -> None:
    path = begun(device, 10)
    right = base64.b64encode(hashlib.sha1(b"12345", usedforsecurity=False).digest()).decode()
    wrong = piece(device, path, 0, b"12346", **{"Upload-Checksum": f"sha1 {right}"})
    assert (wrong.status_code, offset_of(device, path)) == (460, 0)
    assert piece(device, path, 0, b"12345", **{"Upload-Checksum": "crc32 AAAA"}).status_code == 400
    assert piece(device, path, 0, b"12345", **{"Upload-Checksum": f"sha1 {right}"}).status_code == 204


def test_an_upload_is_its_principal_s_own_and_can_be_given_up(site: Site, api, device: httpx.Client) -> None:
    path = begun(device, 10)
    piece(device, path, 0, b"12345")
    assert api.to("device").head(path).status_code == 404
    assert device.delete(path).status_code == 204
    assert device.head(path).status_code == 404
    assert list(site.store.list("uploads/")) == []


def test_an_empty_file_lands_at_once(site: Site, device: httpx.Client) -> None:
    path = begun(device, 0)
    assert offset_of(device, path) == 0
    assert len(landed(site)) == 1


def test_what_tus_there_is(api) -> None:
    answer = api("/api/v1/datasets/visits/uploads", "OPTIONS")
    assert (answer.status_code, answer.headers["Tus-Version"]) == (204, "1.0.0")


def test_forgotten_uploads_are_removed_and_whole_ones_land(site: Site, api, device: httpx.Client) -> None:
    forgotten, whole = begun(device, 10), begun(device, 5)
    piece(device, forgotten, 0, b"12345")
    uploads.add(site.store, whole.rsplit("/", 1)[-1], 0, b"12345")  # and then its process was killed
    site.connection.execute(
        "UPDATE submissions.uploads SET expires_at = now() WHERE id = %s", [forgotten.rsplit("/", 1)[-1]]
    )
    uploads.sweep(site.connection, site.store, lambda *_: None)
    assert device.head(forgotten).status_code == 404
    assert list(site.store.list("uploads/")) == []
    assert len(landed(site)) == 1


def test_killed_in_the_middle_a_file_is_sent_on_to_the_next_process(site: Site, here: Serving, key: str) -> None:
    body = b"".join(rows(12))
    with api_process(LASTMILE_DATABASE_URL=site.database_url) as process:
        client = httpx.Client(base_url=f"{process.url}/api/v1", headers={"Authorization": f"Bearer {key}"}, timeout=60)
        path = begun(client, len(body))
        sent = 0
        for _ in range(3):
            headers = {"Upload_Offset": str(sent), "Content_Type": "application/offset+octet-stream"}
            part = body[sent : sent + 5 * MEGABYTE]
            send_part(process.url, "PATCH", f"/api/v1{path}", key, len(body) - sent, part[:-1], **headers)
            process.kill()
            process.start()
            found = offset_of(client, path)
            assert found >= sent
            sent = found
        assert sent >= router.PIECE_BYTES
        assert piece(client, path, sent, body[sent:]).status_code == 204
        (landing,) = landed(site)
        assert site.store.read(landing) == body


def test_whatever_kills_the_process_each_file_answered_for_is_loaded_once(site: Site, here: Serving, key: str) -> None:
    headers = {"Authorization": f"Bearer {key}"}

    def send(client: int) -> list[str]:
        """Visits that a 202 was answered for; each is sent until it is, as a device does."""
        accepted = []
        for number in range(25):
            visit = f"c{client}-{number}"
            own = headers | {"Idempotency-Key": visit}
            while True:
                with suppress(httpx.TransportError):
                    answer = httpx.post(f"{process.url}/api/v1{FILES}", content=csv(visit), headers=own, timeout=20)
                    if answer.status_code == 202:
                        break
                time.sleep(0.05)
            accepted.append(visit)
        return accepted

    with api_process(LASTMILE_DATABASE_URL=site.database_url) as process, ThreadPoolExecutor(4) as threads:
        sending = [threads.submit(send, client) for client in range(4)]
        for pause in (0.6, 0.9):
            time.sleep(pause)
            process.kill()
            process.start()
        accepted = sorted(visit for client in sending for visit in client.result())
    ingested(site)
    assert site.visits() == accepted
