"""Kafka's primitive types on the wire, as in the versions of requests before the compact encoding."""

import struct
from collections.abc import Callable
from typing import TypeVar

_INT8, _INT16, _INT32, _INT64 = (struct.Struct(f">{kind}") for kind in "bhiq")
Item = TypeVar("Item")
Bytes = bytes | bytearray | memoryview


class Malformed(ValueError):
    """A request that is none."""


class Reader:
    """Reads a request from its start. Raises Malformed where it ends too early."""

    def __init__(self, body: memoryview) -> None:
        self._body, self._at = body, 0

    def int8(self) -> int:
        return self._number(_INT8)

    def int16(self) -> int:
        return self._number(_INT16)

    def int32(self) -> int:
        return self._number(_INT32)

    def int64(self) -> int:
        return self._number(_INT64)

    def boolean(self) -> bool:
        return self.int8() != 0

    def text(self) -> str:
        return self.nullable_text() or ""

    def nullable_text(self) -> str | None:
        length = self.int16()
        if length < 0:
            return None
        try:
            return str(self._cut(length), "utf-8")
        except UnicodeDecodeError as error:
            raise Malformed(str(error)) from None

    def bytes(self) -> memoryview:
        return self.nullable_bytes() or memoryview(b"")

    def nullable_bytes(self) -> memoryview | None:
        length = self.int32()
        return None if length < 0 else self._cut(length)

    def array(self, item: Callable[[], Item]) -> list[Item]:
        return self.nullable_array(item) or []

    def nullable_array(self, item: Callable[[], Item]) -> list[Item] | None:
        count = self.int32()
        if count > len(self._body):
            raise Malformed(f"an array of {count} items in a request of {len(self._body)} bytes")
        return None if count < 0 else [item() for _ in range(count)]

    def _number(self, kind: struct.Struct) -> int:
        number: int = kind.unpack(self._cut(kind.size))[0]
        return number

    def _cut(self, length: int) -> memoryview:
        end = self._at + length
        if end > len(self._body):
            raise Malformed(f"{length} bytes expected at {self._at} of {len(self._body)}")
        found, self._at = self._body[self._at : end], end
        return found


class Writer:
    """Puts a response together; records are passed on as they are, not copied."""

    def __init__(self) -> None:
        self._last = bytearray()
        self.parts: list[Bytes] = [self._last]

    def __len__(self) -> int:
        return sum(map(len, self.parts))

    def int8(self, number: int) -> None:
        self._last += _INT8.pack(number)

    def int16(self, number: int) -> None:
        self._last += _INT16.pack(number)

    def int32(self, number: int) -> None:
        self._last += _INT32.pack(number)

    def int64(self, number: int) -> None:
        self._last += _INT64.pack(number)

    def boolean(self, value: bool) -> None:
        self.int8(int(value))

    def unsigned(self, number: int) -> None:
        """A number of the compact encoding: seven bits to a byte, the lowest first."""
        while number > 0x7F:
            self._last.append(number & 0x7F | 0x80)
            number >>= 7
        self._last.append(number)

    def text(self, text: str | None) -> None:
        if text is None:
            self.int16(-1)
        else:
            encoded = text.encode()
            self.int16(len(encoded))
            self._last += encoded

    def bytes(self, body: Bytes) -> None:
        self.int32(len(body))
        self._last += body

    def records(self, body: Bytes) -> None:
        self.int32(len(body))
        self._last = bytearray()
        self.parts += [body, self._last]

    def array(self, items: list[Item], write: Callable[[Item], None]) -> None:
        self.int32(len(items))
        for item in items:
            write(item)
