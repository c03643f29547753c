"""How a platform ends: Ctrl-C ends all of it, and what it needs it starts again by itself."""

import json
import signal

from end_to_end.installation import Installation

from lastmile.embedded import postgres


def test_ctrl_c_ends_every_process(platform):
    platform.variables = json.loads(platform.run("env", "--json"))
    platform.up.send_signal(signal.SIGINT)
    assert platform.up.wait(60) == 0
    assert [one.cmdline() for one in platform.processes()] == []


def test_a_platform_that_is_started_again_in_the_shell_of_another_tool_starts_its_own_database(platform):
    """`lastmile env` names the embedded server as if it were one that another program keeps up."""
    assert postgres.running(platform.home / "postgres") is None
    inside = Installation(platform.home, platform.variables)
    shown = inside.run("dbt", "show", "--inline", "select count(*) from raw.lstk where hhid like 'small%'")
    assert "2" in shown
    assert inside.run("env", code=1).startswith("lastmile: no database")
