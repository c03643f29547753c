"""One platform that is up, with a small drop loaded, for all tests that look at a running one.

They run in the order of `scheduling.LONGEST_FIRST`: those that kill parts of it come late, the one that ends it last.
"""

import psycopg
import pytest
from end_to_end.installation import Installation, answers, wait_for

from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port

ROWS = "hhid,name,n\nsmall_1,goats,3\nsmall_2,hens,4\n"


@pytest.fixture(scope="session")
def platform(tmp_path_factory):
    """The installation. `up` is its process, `said` the file of what that prints, `address` that of its web UI."""
    folder = tmp_path_factory.mktemp("running")
    with Installation(folder / "home") as one:
        refused = one.run("env", code=1)
        assert refused.startswith("lastmile: no database: none runs in")
        (folder / "animals.csv").write_text(ROWS)
        one.run("drop", folder / "animals.csv", "--dataset", "lstk", "--partition", "2021")
        port, one.said = free_port(), folder / "up.log"
        with one.said.open("w") as output:
            one.up = one.start("up", "--port", str(port), output=output)
        one.address = f"http://127.0.0.1:{port}"
        wait_for(lambda: answers(one.address), 300)
        one.query = lambda statement: query(one, statement)
        wait_for(lambda: one.query("SELECT count(*) FROM raw.lstk") == [2], 600)
        wait_for(lambda: "drops are ingested as they come" in one.said.read_text(), 900)  # nothing more will follow
        yield one


def query(platform, statement):
    """The first column of the answer, or None where the database does not answer."""
    url = postgres.running(platform.home / "postgres")
    try:
        with psycopg.connect(url or "", autocommit=True, connect_timeout=5) as connection:
            return [row[0] for row in connection.execute(statement).fetchall()]
    except psycopg.Error:
        return None
