"""Processes that answer HTTP: the API, the web UI, the watcher."""

import json
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.request import ProxyHandler, build_opener

from lastmile.operations.health.finding import Finding

_SECONDS = 4.0
_LIVE = {"api": "/api/v1/health/live", "webserver": "/server_info", "watcher": "/health/live"}
_READY = {"api": "/api/v1/health/ready", "webserver": "/server_info", "watcher": "/health/ready"}
#: The web UI says so to who has not signed in: it is there.
_UNKNOWN = (401, 403)
#: Never by way of a proxy: it is this machine's own.
_opener = build_opener(ProxyHandler({}))


def answers(process: str, port: int, live: bool) -> Finding:
    """One request, and what to do where it fails."""
    address = f"http://127.0.0.1:{port}{(_LIVE if live else _READY)[process]}"
    try:
        with _opener.open(address, timeout=_SECONDS):
            return Finding(process, True, f"answers on port {port}")
    except HTTPError as error:
        if error.code in _UNKNOWN:
            return Finding(process, True, f"answers on port {port}")
        return Finding(process, False, f"{_detail(error)} (HTTP {error.code} on port {port})")
    except (OSError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        return Finding(process, False, f"no answer on port {port}: {reason}; is it up? `lastmile up` starts it again")


def _detail(error: HTTPError) -> str:
    """What the process itself says, which is a problem as RFC 9457 has it, or text."""
    body = error.read(10_000).decode(errors="replace").strip()
    try:
        return str(json.loads(body)["detail"])
    except (ValueError, KeyError, TypeError):
        return body.splitlines()[0] if body else "it says that it is not ready"
