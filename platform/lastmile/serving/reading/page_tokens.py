"""`after` of a page: where the next one begins, for this query only, which only we can read.

It holds values of the last row, some of which its reader may not see: so it is encrypted.
"""

import base64
import hashlib
from typing import Any

import orjson
from cryptography.fernet import Fernet, InvalidToken

from lastmile.access.secret import derived
from lastmile.errors import UserError


class PageTokens:
    def __init__(self, secret: bytes, *query: Any) -> None:
        self._fernet = Fernet(base64.urlsafe_b64encode(derived(secret, "pages")))
        self._query = hashlib.sha256(orjson.dumps(query)).hexdigest()[:16]

    def encoded(self, position: Any) -> str | None:
        """None on the last page."""
        if position is None:
            return None
        return self._fernet.encrypt(orjson.dumps([self._query, position])).decode()

    def decoded(self, token: str | None) -> Any:
        """Raises UserError where it was not made by us, or for another query."""
        if token is None:
            return None
        try:
            query, position = orjson.loads(self._fernet.decrypt(token.encode()))
        except InvalidToken:
            raise UserError("after: expected what the page before gave as `after`, unchanged") from None
        if query != self._query:
            raise UserError("after: it belongs to another table, filter or order; leave it out to begin anew")
        return position
