"""Seeded histories on S3, behind a proxy that makes the way there a bad one: a bucket without versions and one with."""

import os
from contextlib import ExitStack

import boto3
import pytest
from faults.history import history
from faults.playing import Play, assure
from faults.proxy import Proxy
from faults.workers import Workers

HERE = "tests/faults/test_histories_on_s3.py"
SEEDS = range(1000, 1020)
TIMES = 1
VARIABLES = {"AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}


@pytest.fixture(scope="module")
def proxy(s3_server):
    """Between the workers and the server; this process goes there directly."""
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patch:
        for name, value in {**VARIABLES, "AWS_DEFAULT_REGION": "us-east-1", "AWS_ENDPOINT_URL": s3_server}.items():
            patch.setenv(name, value)
        for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3"):
            patch.delenv(name, raising=False)
        yield stack.enter_context(Proxy(s3_server))


@pytest.fixture(scope="module")
def workers(proxy, tmp_path_factory):
    forked = Workers(tmp_path_factory.mktemp("workers") / "log", {"AWS_ENDPOINT_URL": proxy.url})
    yield forked
    forked.close()


@pytest.fixture(scope="module", params=["without versions", "with versions"])
def stage(request, proxy, make_stage):
    client, bucket = boto3.client("s3"), f"histories-{os.getpid()}-{request.param.split()[0]}"
    client.create_bucket(Bucket=bucket)
    if request.param == "with versions":
        client.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    one = make_stage(f"s3://{bucket}")
    one.disturb, one.calm = proxy.disturb, proxy.calm
    return one


def test_a_history_ends_correctly_whatever_fails(stage, seed):
    play = Play(stage, history(seed))
    assure(play, play.with_faults, HERE)
