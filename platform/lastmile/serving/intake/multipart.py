"""The file in a form, as browsers and `curl -F` send it, piece by piece."""

from email.message import Message
from typing import Any

from fastapi import HTTPException
from python_multipart import MultipartParser
from python_multipart.exceptions import MultipartParseError


class FileOfForm:
    """The first part that is a file; other parts are passed over. `name` is the file's own, once it is known."""

    def __init__(self, boundary: bytes) -> None:
        self.name: str | None = None
        self.found = False
        self._field = self._value = b""
        self._headers: dict[str, str] = {}
        self._is_open = False
        self._data: list[bytes] = []
        callbacks: Any = {
            "on_part_begin": self._begin,
            "on_header_field": self._header_field,
            "on_header_value": self._header_value,
            "on_header_end": self._header_end,
            "on_headers_finished": self._headers_finished,
            "on_part_data": self._part_data,
            "on_part_end": self._end,
        }
        self._parser = MultipartParser(boundary, callbacks)

    def feed(self, chunk: bytes) -> bytes:
        """The file's bytes in this chunk of the body. Raises HTTPException (400)."""
        try:
            self._parser.write(chunk)
        except MultipartParseError as error:
            raise HTTPException(400, f"expected multipart/form-data; {error}") from None
        data, self._data = self._data, []
        return b"".join(data)

    def _begin(self) -> None:
        self._headers, self._field, self._value = {}, b"", b""

    def _header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._field.decode("latin-1").lower()] = self._value.decode("utf-8", "replace")
        self._field = self._value = b""

    def _headers_finished(self) -> None:
        message = Message()
        message["content-disposition"] = self._headers.get("content-disposition", "")
        name = message.get_filename()
        if name is not None and not self.found:
            self.found, self.name, self._is_open = True, name, True

    def _part_data(self, data: bytes, start: int, end: int) -> None:
        if self._is_open:
            self._data.append(data[start:end])

    def _end(self) -> None:
        self._is_open = False
