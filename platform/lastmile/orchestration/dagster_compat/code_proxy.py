"""A code server whose code can be loaded anew: in front of Dagster's own, which loads it once, handing on every call.

Dagster's proxy does the same, but imports all of Dagster for it: 75 MB, 1.5 CPU-s of the start and a part of an idle
platform's cost. This one knows the name of the call that reloads, and which calls are answered by a stream; what is in
them it does not look at. A new server is asked first once it answers, and the old one ends when its calls are over.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from threading import Event, Lock, Thread
from typing import Any

import grpc  # type: ignore[import-untyped]  # Dagster brings it, without types

from lastmile.orchestration.forks.client import Forked, fork

_SERVICE = "/api.DagsterApi/"
_RELOAD, _END = f"{_SERVICE}ReloadCode", f"{_SERVICE}ShutdownServer"
_STREAMS = {
    f"{_SERVICE}{name}"
    for name in (
        "StreamingPing", "ExternalPartitionSetExecutionParams", "StreamingExternalRepository",
        "ExternalScheduleExecution", "ExternalSensorExecution",
    )
}  # fmt: skip
_EMPTY = b""  # the requests and answers of both calls have no fields that are needed
#: Sizes of messages are the server's and the clients' to limit.
_OPTIONS = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
#: How often a server that comes up is tried: else ever less often, which left it unnoticed for seconds.
_TRIES = [(f"grpc.{which}_reconnect_backoff_ms", 100) for which in ("initial", "min", "max")]
_STANDARD_OUTPUT = 1
_THREADS = 32
_START_SECONDS = 180.0


class Behind:
    """A server of Dagster's at a socket of its own, and the way to it."""

    def __init__(self, arguments: Sequence[str], folder: Path) -> None:
        self.socket = folder / f"code-{os.urandom(4).hex()}.sock"
        options = ["api", "grpc", "--lazy-load-user-code", "--socket", str(self.socket), *arguments]
        self.process = _process("dagster", options)
        self.channel = grpc.insecure_channel(f"unix:{self.socket}", options=[*_OPTIONS, *_TRIES])

    def wait_until_up(self) -> None:
        """Raises RuntimeError where it ends, or does not answer in time."""
        up = Event()
        grpc.channel_ready_future(self.channel).add_done_callback(lambda _: up.set())
        deadline = time.monotonic() + _START_SECONDS
        while not up.wait(0.5):
            if self.process.poll() is not None or time.monotonic() > deadline:
                self.process.kill()
                raise RuntimeError(f"the code server did not come up (exit code {self.process.wait()})")

    def end(self) -> None:
        """Once its calls are over."""
        try:
            self.channel.unary_unary(_END)(_EMPTY, timeout=15.0)
        except grpc.RpcError:
            self.process.terminate()
        self.process.wait()
        self.channel.close()
        self.socket.unlink(missing_ok=True)


class Proxy(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
    """Hands calls on to the server behind it; `arguments` are those of `dagster api grpc`."""

    def __init__(self, arguments: Sequence[str], folder: Path, died: Callable[[], None]) -> None:
        self._arguments, self._folder, self._died = arguments, folder, died
        self._reloading = Lock()
        self._behind = self._started()
        self._watch()

    def service(self, handler_call_details: Any) -> Any:
        method = handler_call_details.method
        if method == _RELOAD:
            return grpc.unary_unary_rpc_method_handler(self._reload)
        if method in _STREAMS:
            return grpc.unary_stream_rpc_method_handler(partial(self._stream, method))
        return grpc.unary_unary_rpc_method_handler(partial(self._single, method))

    def end(self) -> None:
        self._behind.process.kill()

    def _started(self) -> Behind:
        behind = Behind(self._arguments, self._folder)
        behind.wait_until_up()
        return behind

    def _watch(self) -> None:
        behind = self._behind

        def watch() -> None:
            behind.process.wait()
            if behind is self._behind:
                self._died()

        Thread(target=watch, name="watch", daemon=True).start()

    def _reload(self, request: bytes, context: Any) -> bytes:  # noqa: ARG002
        with self._reloading:
            try:
                new = self._started()
            except RuntimeError as error:
                context.abort(grpc.StatusCode.INTERNAL, str(error))
            old, self._behind = self._behind, new
            self._watch()
        Thread(target=old.end, name="end", daemon=True).start()
        return _EMPTY

    def _single(self, method: str, request: bytes, context: Any) -> bytes:
        try:
            answer: bytes = self._behind.channel.unary_unary(method)(request, timeout=context.time_remaining())
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())
            raise
        return answer

    def _stream(self, method: str, request: bytes, context: Any) -> Iterator[bytes]:
        try:
            yield from self._behind.channel.unary_stream(method)(request, timeout=context.time_remaining())
        except grpc.RpcError as error:
            context.abort(error.code(), error.details())


def _process(module: str, arguments: Sequence[str]) -> "Forked | subprocess.Popen[bytes]":
    try:
        return fork("code server", module, arguments, os.environ, _STANDARD_OUTPUT, is_leader=False)
    except OSError:
        return subprocess.Popen([sys.executable, "-m", module, *arguments])


def serve(host: str, port: int, arguments: Sequence[str]) -> None:
    """Serve until the process ends, or the server behind it has: a supervisor starts both again.

    Raises RuntimeError where that one does not come up, or the port is in use.
    """
    ended = Event()  # to wait for the server's own end would wake this process ten times a second
    with tempfile.TemporaryDirectory(prefix="lastmile-code-", ignore_cleanup_errors=True) as folder:
        server = grpc.server(ThreadPoolExecutor(_THREADS), options=[*_OPTIONS, ("grpc.so_reuseport", 0)])
        proxy = Proxy(arguments, Path(folder), ended.set)
        server.add_generic_rpc_handlers((proxy,))
        server.add_insecure_port(f"{host}:{port}")
        server.start()
        try:
            ended.wait()
        finally:
            proxy.end()
            server.stop(None)
