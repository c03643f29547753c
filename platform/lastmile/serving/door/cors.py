"""Browser apps of other sites, as set up for the whole API; the collector has its own, by write key."""

from starlette.middleware.cors import CORSMiddleware
from starlette.types import Receive, Scope, Send

COLLECT = "/collect/"


class Cors(CORSMiddleware):
    """As Starlette's, but for the collector."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(COLLECT):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)
