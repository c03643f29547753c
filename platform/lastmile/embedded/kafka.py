"""The embedded Kafka broker of one home: whether it is ours to start, where it answers, how it is started.

It is kept up as a service next to the others. Its port is written down in the home, so that every process of the
installation finds it, and so that an address which `lastmile env` has put into the environment is known as its own.
"""

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


def check_may_start(settings: Settings) -> None:
    """Raises UserError where another cluster is given: then nothing of ours is started."""
    if given := given_servers(settings):
        raise UserError(
            f"{URL} names a Kafka cluster, {given}: leave out `--with kafka` to use it, or unset the variable for a"
            " broker of this home"
        )


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
