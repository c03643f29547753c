"""The embedded Kafka broker of one home: whether it is ours to start, where it answers, how it is started.

It is kept up as a service next to the others. Its port is written down in the home, so that every process of the
installation finds it, and so that an address which `lastmile env` has put into the environment is known as its own.
"""

import os
import subprocess
import sys

from lastmile.errors import UserError
from lastmile.settings import Settings
from lastmile.settings.group import load
from lastmile.settings.kafka import KafkaSettings

HOST = "127.0.0.1"
PORT = 9092
URL = "LASTMILE_KAFKA_URL"
_PORT_FILE = "port"


def given_servers(settings: Settings) -> str | None:
    """The cluster given; None for this home's own broker, also where the environment names that."""
    given = load(KafkaSettings).url
    return None if given is None or given == own_servers(settings) else given


def own_servers(settings: Settings) -> str | None:
    """The address of this home's broker; None where it has none."""
    file = settings.kafka_folder / _PORT_FILE
    return f"{HOST}:{file.read_text()}" if file.exists() else None


def declared_streams() -> list[str]:
    """The names of the streams that are declared. Raises UserError where that cannot be known."""
    command = [sys.executable, "-m", "lastmile.streaming.declarations"]
    done = subprocess.run(command, env=dict(os.environ), capture_output=True, text=True)
    if done.returncode:
        raise UserError(f"the declared streams cannot be read: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.split()


def note(settings: Settings, port: int | None) -> None:
    """Write down where the broker answers from now on; None where there is none."""
    file = settings.kafka_folder / _PORT_FILE
    if port is None:
        file.unlink(missing_ok=True)
        return
    settings.kafka_folder.mkdir(parents=True, exist_ok=True)
    file.write_text(str(port))


def variables(settings: Settings) -> dict[str, str]:
    """What names the cluster to a process of this installation: of one that is given, its environment does already."""
    own = own_servers(settings)
    return {URL: own} if own and given_servers(settings) is None else {}
