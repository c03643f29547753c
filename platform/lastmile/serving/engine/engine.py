"""A process that calls our functions by name, started when first needed and again after it died.

    engine.call("lastmile.serving.engine.validating:validated", dataset="visits", rows=[...])

Arguments and answers are JSON. The function's UserError is raised here as such; anything else as RuntimeError.
Its first call takes seconds, since it imports what the API's own process must not.
"""

import subprocess
import sys
import threading
from typing import IO, Any

import orjson

from lastmile.errors import Unreachable, UserError
from lastmile.telemetry.spans import traceparent


class Engine:
    """One call at a time; others wait for their turn, up to `patience` seconds, then Unreachable is raised."""

    def __init__(self, name: str, patience: float = 60.0) -> None:
        self.name = name
        self._patience = patience
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def call(self, function: str, **arguments: Any) -> Any:
        if not self._lock.acquire(timeout=self._patience):
            raise Unreachable(f"the {self.name} engine has been busy for {self._patience:.0f} s; try again")
        try:
            request = {"function": function, "arguments": arguments, "traceparent": traceparent()}
            return self._answer(self._called(request))
        finally:
            self._lock.release()

    def close(self) -> None:
        process, self._process = self._process, None
        if process and process.stdin:
            process.stdin.close()
            try:
                process.wait(5)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process and process.stdout:
            process.stdout.close()

    def _called(self, request: dict[str, Any]) -> bytes:
        """A line of the process. It may have died since the last call: once it is started anew."""
        line = orjson.dumps(request) + b"\n"
        for process in (self._running(), None):
            running = process or self._restarted()
            try:
                stdin, stdout = _pipes(running)
                stdin.write(line)
                stdin.flush()
                if answer := stdout.readline():
                    return answer
            except BrokenPipeError:
                continue
        raise Unreachable(f"the {self.name} engine died twice on one request; the API's log has more")

    def _answer(self, line: bytes) -> Any:
        answer = orjson.loads(line)
        if "error" not in answer:
            return answer["result"]
        raise {"user": UserError, "unreachable": Unreachable}.get(answer["kind"], RuntimeError)(answer["error"])

    def _running(self) -> subprocess.Popen[bytes]:
        if self._process is None or self._process.poll() is not None:
            return self._restarted()
        return self._process

    def _restarted(self) -> subprocess.Popen[bytes]:
        self.close()
        command = [sys.executable, "-m", "lastmile.serving.engine"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        return self._process


def _pipes(process: subprocess.Popen[bytes]) -> tuple[IO[bytes], IO[bytes]]:
    if process.stdin is None or process.stdout is None:
        raise BrokenPipeError
    return process.stdin, process.stdout
