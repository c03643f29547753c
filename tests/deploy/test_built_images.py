"""Both images, built from their Dockerfiles and run: the platform up to the report, the API up to a prediction.

A tier of its own, `make images`: it needs root, buildah and mmdebstrap, ten minutes on two idle cores and 8 GB of disk,
all of which it gives back. The base is made of Debian's packages, since a registry of images may be out of reach.
"""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
from checkout import PROJECT
from deploy.test_compose import free_port
from end_to_end.installation import wait_for

pytestmark = [pytest.mark.images, pytest.mark.timeout(3600)]

BASE = "localhost/lastmile-base"
#: Megabytes above the base; the figures of docs/deploying.md.
MOST = {"api": 330, "platform": 1_640}
_CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


class Buildah:
    """buildah with a storage of its own, in which containers are chroots of this machine's network."""

    def __init__(self, folder: Path) -> None:
        self._words = ["buildah", "--root", str(folder / "images"), "--runroot", str(folder / "run")]
        self.environment = os.environ | {"BUILDAH_ISOLATION": "chroot", "STORAGE_DRIVER": "vfs"}

    def command(self, *words: str | Path) -> list[str]:
        return [*self._words, *map(str, words)]

    def __call__(self, *words: str | Path) -> str:
        done = subprocess.run(
            self.command(*words), env=self.environment, cwd=PROJECT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, f"buildah {words}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout.strip()

    def build(self, image: str) -> None:
        words = ["build", "--layers=false", "--format", "docker", "--build-arg", f"BASE_IMAGE={BASE}"]
        if _CERTIFICATES.exists():
            words += ["--secret", f"id=ca,src={_CERTIFICATES}"]
        self(*words, "-f", f"platform/deploy/images/{image}.Dockerfile", "-t", f"lastmile-{image}", ".")

    def configuration(self, image: str) -> dict[str, Any]:
        return json.loads(self("inspect", "--type", "image", image))["Docker"]["config"]

    def megabytes(self, image: str) -> float:
        """Of its files, unpacked."""
        container = self("from", image)
        size = subprocess.run(["du", "-sxk", self("mount", container)], capture_output=True, text=True, check=True)
        self("rm", container)
        return int(size.stdout.split()[0]) / 1_000


@pytest.fixture(scope="module")
def buildah(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Buildah]:
    for program in ("buildah", "mmdebstrap"):
        if shutil.which(program) is None:
            pytest.skip(f"this machine has no {program}: apt-get install buildah mmdebstrap")
    if os.getuid() != 0:
        pytest.skip("buildah needs root here")
    folder = tmp_path_factory.mktemp("buildah")
    tarball = folder / "base.tar"
    include = "--include=python3,python3-venv,ca-certificates"
    subprocess.run(["mmdebstrap", "--quiet", "--variant=minbase", include, "bookworm", tarball], check=True)
    found = Buildah(folder)
    container = found("from", "scratch")
    found("add", container, tarball, "/")
    found("commit", container, BASE)
    found("rm", container)
    tarball.unlink()
    yield found
    found("rm", "--all")
    found("rmi", "--all", "--force")
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def images(buildah: Buildah) -> dict[str, float]:
    """Both, built; megabytes above the base by name."""
    base, sizes = buildah.megabytes(BASE), {}
    for image in MOST:
        buildah.build(image)
        whole = buildah.megabytes(f"localhost/lastmile-{image}")
        sizes[image] = whole - base
        print(f"image {image}: {whole:,.0f} MB, {sizes[image]:,.0f} above a base of {base:,.0f}")
    return sizes


class Container:
    """One of an image, from whose entry point commands start, as its own user."""

    def __init__(
        self, buildah: Buildah, image: str, variables: dict[str, str] | None = None, volume: str | None = None
    ) -> None:
        self._buildah, self.name = buildah, buildah("from", f"localhost/lastmile-{image}")
        self._configuration = buildah.configuration(f"localhost/lastmile-{image}")
        given = [word for name, value in (variables or {}).items() for word in ("--env", f"{name}={value}")]
        self._options = [*given, *(["--volume", volume] if volume else []), self.name, "--"]

    def start(self, *command: str) -> "subprocess.Popen[str]":
        words = [*self._configuration["Entrypoint"], *(command or self._configuration["Cmd"])]
        return subprocess.Popen(
            self._buildah.command("run", *self._options, *words),
            env=self._buildah.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, timeout: float = 1800) -> str:
        process = self.start(*command)
        said, _ = process.communicate(timeout=timeout)
        assert process.returncode == 0, said[-3000:]
        return said


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """What containers have as /var/lib/lastmile, which the user of the images may write."""
    folder = tmp_path_factory.mktemp("home")
    os.chown(folder, 10001, 10001)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def platform(buildah: Buildah, images: dict[str, float], home: Path) -> Container:
    """The platform's image, after it has worked through its sample."""
    found = Container(buildah, "platform", volume=f"{home}:/var/lib/lastmile")
    found.run("lastmile", "up", "--once")
    return found


def test_the_images_are_no_larger_than_stated(images: dict[str, float]) -> None:
    for image, most in MOST.items():
        assert images[image] < most


def test_the_images_run_as_a_number_that_is_not_roots(buildah: Buildah, images: dict[str, float]) -> None:
    assert {buildah.configuration(f"localhost/lastmile-{image}")["User"] for image in images} == {"10001:10001"}


def test_the_platform_carries_its_sample_to_the_report(platform: Container, home: Path) -> None:
    (report,) = (home / "store" / "reports").rglob("latest.html")
    assert report.stat().st_uid == 10001
    state = json.loads(platform.run("lastmile", "status", "--json"))
    assert state["backlog"] == 0
    assert sum(state["predictions"]["vulnerability"].values()) > 1_000


def test_the_launcher_of_pods_is_in_the_image(platform: Container) -> None:
    assert platform.run("python", "-c", "from dagster_k8s import K8sRunLauncher; print('there')").strip() == "there"


def test_the_small_image_predicts_from_what_the_platform_made(
    buildah: Buildah, platform: Container, home: Path
) -> None:
    key = platform.run("lastmile", "keys", "create", "images", "--role", "analyst", "--quiet").split()[-1]
    port, small_port = free_port(), free_port()
    whole = platform.start("lastmile", "api", "--port", str(port))  # keeps the home's Postgres up
    try:
        wait_for(lambda: answers(f"http://127.0.0.1:{port}/api/v1/health/live"), 300, every=1)
        url = json.loads(platform.run("lastmile", "env", "--json"))["LASTMILE_DATABASE_URL"]
        small = Container(buildah, "api", {"LASTMILE_DATABASE_URL": url}, f"{home}:/var/lib/lastmile")
        serving = small.start(str(small_port), "--host", "127.0.0.1", "--only-predictions")
        try:
            address = f"http://127.0.0.1:{small_port}/api/v1"
            wait_for(lambda: answers(f"{address}/health/ready"), 120)
            with psycopg.connect(url) as database:
                (household,) = database.execute("SELECT hhid FROM predictions.vulnerability LIMIT 1").fetchone()
            answer = httpx.post(
                f"{address}/models/vulnerability/predict",
                json={"ids": [{"hhid": household}]},
                headers={"Authorization": f"Bearer {key}"},
                timeout=60,
            )
            assert answer.status_code == 200, answer.text
            (found,) = answer.json()["predictions"]
            assert sum(found["probabilities"].values()) == pytest.approx(1)
        finally:
            os.killpg(serving.pid, signal.SIGTERM)
            serving.wait(60)
    finally:
        os.killpg(whole.pid, signal.SIGTERM)
        whole.wait(60)


def answers(address: str) -> bool:
    try:
        return httpx.get(address, timeout=5).status_code == 200
    except httpx.HTTPError:
        return False
