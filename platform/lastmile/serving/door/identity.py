"""Who makes a request: the principal of the bearer token or key, remembered for seconds.

What is remembered is forgotten when users, keys or sessions change (`access_changes`), so revoking works at once. While
the database does not answer, who was known before stays known for some minutes.
"""

import base64
import hashlib
import logging
import threading
import time
from dataclasses import dataclass

import psycopg
from psycopg_pool import PoolTimeout

from lastmile.access import keys, sessions
from lastmile.access.changes import CHANNEL
from lastmile.access.principal import Principal
from lastmile.serving.state import Serving
from lastmile.warehouse.connections import connect

log = logging.getLogger(__name__)

_REMEMBERED_SECONDS = 20.0
#: While the database is away.
_TRUSTED_SECONDS = 600.0
_MOST_REMEMBERED = 10_000
#: How long a listening connection waits before it looks whether it is to stop.
_LISTENED_SECONDS = 1.0


@dataclass(frozen=True)
class _Known:
    principal: Principal | None
    at: float


class Identities:
    """The principals of the requests of one process; `audience` is whom its tokens are for."""

    def __init__(self, here: Serving, audience: str = sessions.API) -> None:
        self._here, self._audience = here, audience
        self._known: dict[bytes, _Known] = {}
        self._used: set[str] = set()
        self._stopping = threading.Event()
        self._listener = threading.Thread(target=self._listen, name="access changes", daemon=True)

    def open(self) -> None:
        self._listener.start()

    def close(self) -> None:
        self._stopping.set()
        self._listener.join()

    def remembered(self, credential: str) -> tuple[bool, Principal | None]:
        """Whether it is known without a look, and who it is; a wrong credential is remembered, too."""
        known = self._known.get(_digest(credential))
        fresh = known is not None and time.monotonic() - known.at < _REMEMBERED_SECONDS
        return (True, known.principal) if known and fresh and self._holds(credential) else (False, None)

    def find(self, credential: str) -> Principal | None:
        """Who has the credential, looked up. Raises psycopg's errors where that cannot be known."""
        digest = _digest(credential)
        try:
            with self._here.reading() as connection:
                found = self._look_up(connection, credential)
        except (psycopg.OperationalError, PoolTimeout):
            known = self._known.get(digest)
            if known and time.monotonic() - known.at < _TRUSTED_SECONDS and self._holds(credential):
                return known.principal
            raise
        if len(self._known) >= _MOST_REMEMBERED:
            self._known.clear()
        self._known[digest] = _Known(found, time.monotonic())
        return found

    def _look_up(self, connection: psycopg.Connection, credential: str) -> Principal | None:
        if credential.startswith(keys.MARK):
            key = keys.find(connection, self._here.secret, credential)
            if key is not None:
                self._used.add(key.prefix)
            return key.principal() if key else None
        session = sessions.session_of(self._here.secret, credential, self._audience)
        return sessions.principal_of(connection, session) if session else None

    def _holds(self, credential: str) -> bool:
        """A token says itself when it ends."""
        return (
            credential.startswith(keys.MARK)
            or sessions.session_of(self._here.secret, credential, self._audience) is not None
        )

    def _listen(self) -> None:
        """Forget all at each change, and after each time that changes could have been missed."""
        while not self._stopping.is_set():
            try:
                with connect(self._here.database_url) as connection:
                    connection.execute(f"LISTEN {CHANNEL}")
                    self._known.clear()
                    while not self._stopping.is_set():
                        if any(connection.notifies(timeout=_LISTENED_SECONDS, stop_after=1)):
                            self._known.clear()
                        self._note_use(connection)
            except Exception as error:
                log.warning("changes of access are not heard: %s", error)
                self._stopping.wait(_LISTENED_SECONDS)

    def _note_use(self, connection: psycopg.Connection) -> None:
        used, self._used = self._used, set()
        if used:
            keys.note_use(connection, used)


def credential_of(headers: dict[bytes, bytes]) -> str | None:
    """The bearer token of a request, its `X-API-Key`, or the password of its basic authentication, as webhooks that can
    set no header send it; None where it has none."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() == "bearer" and token:
        return token.strip()
    if scheme.lower() == "basic" and token:
        return _password(token)
    return headers[b"x-api-key"].decode("latin-1") if b"x-api-key" in headers else None


def _password(token: str) -> str:
    """That of basic authentication; of what is none, a credential that is not valid."""
    try:
        return base64.b64decode(token.strip(), validate=True).decode("latin-1").partition(":")[2] or token
    except ValueError:
        return token


def _digest(credential: str) -> bytes:
    return hashlib.sha256(credential.encode()).digest()
