"""A dbt command carried out in this process, by dbt's own programmatic runner, that looks like a process of its own.

A process costs 3 CPU-s before dbt does anything: its imports, and what was parsed to be read and checked. Here both are
there already, where the process was forked from one that has imported dbt, and the project is not parsed at all: the
folder's last parse is what it runs. dbt keeps state in globals, so commands take turns.
"""

import ctypes
import signal
from collections.abc import Iterator, Sequence
from pathlib import Path
from queue import SimpleQueue
from subprocess import TimeoutExpired
from threading import Lock, Thread
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

#: What dbt keeps of a parse in its target folder.
PARSED = Path("target", "partial_parse.msgpack")
_ALONE = Lock()
_SHOWN = ("info", "warn", "error")


class InProcess:
    """As much of `subprocess.Popen` as dagster-dbt reads; `stdout` has dbt's events as lines of JSON."""

    def __init__(self, args: Sequence[str], project: Path, working_files: Path) -> None:
        """`args` is the command without what names its folders; `working_files` gets what dbt leaves behind."""
        self.args = ["dbt", *args]
        self.returncode: int | None = None
        self.stdout = _Lines()
        places = ["--project-dir", str(project), "--profiles-dir", str(project)]
        places += ["--target-path", str(working_files), "--log-path", str(working_files)]
        self._command = [*args, *places, "--log-level", "none", "--no-send-anonymous-usage-stats"]
        self._project = project
        self._thread = Thread(target=self._run, name="dbt", daemon=True)
        self._thread.start()

    def wait(self, timeout: float | None = None) -> int:
        """The exit code. Raises TimeoutExpired where dbt goes on for longer than `timeout` seconds."""
        self._thread.join(timeout)
        if self.returncode is None:
            raise TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def send_signal(self, number: int) -> None:
        """Interrupt dbt as Ctrl-C does: what its connections do is cancelled, and it ends in order."""
        if number != signal.SIGINT or self._thread.ident is None:
            raise ValueError(f"expected SIGINT for a dbt at work, found {signal.Signals(number).name}")
        # It waits for a model to end, which the loss of its connection makes it do; then it is interrupted.
        ctypes.pythonapi.PyThreadState_SetAsyncExc(
            ctypes.c_ulong(self._thread.ident), ctypes.py_object(KeyboardInterrupt)
        )
        _cancel_connections()

    def _run(self) -> None:
        from dbt.cli.main import dbtRunner

        code = 2
        try:
            with _ALONE:
                result = dbtRunner(parsed(self._project), [self._tell]).invoke(self._command)
            if result.exception is not None and not isinstance(result.exception, KeyboardInterrupt):
                self.stdout.put(_unexpected(result.exception))
            code = 0 if result.success else 1
        except BaseException as error:
            self.stdout.put(_unexpected(error))
        finally:
            self.returncode = code
            self.stdout.end()

    def _tell(self, event: "EventMsg") -> None:
        from dbt_common.events.functions import msg_to_json

        if event.info.level in _SHOWN:
            self.stdout.put(msg_to_json(event).encode())


class _Lines:
    """Lines of bytes as they come, to be read once by another thread."""

    closed = False

    def __init__(self) -> None:
        self._queue: SimpleQueue[bytes | None] = SimpleQueue()

    def put(self, line: bytes) -> None:
        self._queue.put(line)

    def end(self) -> None:
        self._queue.put(None)

    def __iter__(self) -> Iterator[bytes]:
        while (line := self._queue.get()) is not None:
            yield line

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self.closed = True


def parsed(project: Path) -> "Manifest":
    """What dbt parsed of the project when it was prepared. Raises FileNotFoundError where it was not."""
    from dbt.contracts.graph.manifest import Manifest

    manifest: Manifest = Manifest.from_msgpack((project / PARSED).read_bytes())
    return manifest


def _unexpected(error: BaseException) -> bytes:
    return f"{type(error).__name__}: {error}".encode()


def _cancel_connections() -> None:
    from dbt.adapters.factory import FACTORY

    for adapter in [*FACTORY.adapters.values()]:
        connections: Any = adapter
        with connections.connection_named("cancellation"):
            connections.cancel_open_connections()
