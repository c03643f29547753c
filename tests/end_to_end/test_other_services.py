"""The same flow, unchanged, on an S3 server and on a Postgres that is not the embedded one."""

import json

import psycopg
import pytest
from end_to_end.installation import Installation

from lastmile.operations.audit import violations

pytestmark = pytest.mark.flow


def test_the_main_job_runs_on_s3_and_another_postgres(tmp_path, s3_store_url, empty_database_url):
    services = {"LASTMILE_STORE_URL": s3_store_url, "LASTMILE_DATABASE_URL": empty_database_url}
    with Installation(tmp_path / "home", services) as installation:
        installation.run("sample", "household_survey", "--size", "600", "--seed", "5", "--partitions", "2022-2023")
        installation.run("up", "--once")
        state = installation.status()
        truth = json.loads((tmp_path / "home" / "sample" / "household_survey.json").read_text())
        assert {name: dataset["rows"] for name, dataset in state["datasets"].items()} == truth["datasets"]
        assert sum(state["predictions"]["vulnerability"].values()) == state["datasets"]["hhinfo"]["rows"]["loaded"]
        assert not (tmp_path / "home" / "postgres").exists()
        assert not (tmp_path / "home" / "store").exists()
        with psycopg.connect(empty_database_url) as connection:
            assert [fault for dataset in state["datasets"] for fault in violations(connection, dataset)] == []
