"""A line of an access log in the combined format of Apache and nginx, as an event; the common format as well."""

import re
from typing import Any

_QUOTED = r'"((?:[^"\\]|\\.)*)"'
_LINE = re.compile(
    rf"(\S+) (\S+) (.+?) \[(\d\d)/(\w{{3}})/(\d{{4}}):(\d\d:\d\d:\d\d) ([+-]\d\d)(\d\d)\] {_QUOTED} (\d{{3}}) (\d+|-)"
    rf"(?: {_QUOTED} {_QUOTED})?\s*"
)
_REQUEST = re.compile(r"([A-Z-]+) (\S+)(?: (HTTP/\d(?:\.\d)?))?")
_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MONTHS = {name: f"{number:02}" for number, name in enumerate(_NAMES, 1)}


def parsed(line: str) -> dict[str, Any]:
    """Its columns; `-` is none. Raises ValueError where it is no such line, or one that was cut short."""
    found = _LINE.fullmatch(line)
    if found is None:
        cut = " (a quote is not closed)" if line.replace('\\"', "").count('"') % 2 else ""
        raise ValueError(f"expected a line of an access log in the combined format{cut}")
    address, _, user, day, month, year, clock, hours, minutes, request, status, size, referrer, agent = found.groups()
    if month not in _MONTHS:
        raise ValueError(f"expected the month as Jan, Feb, ...; found {month}")
    of_request = _REQUEST.fullmatch(request)
    method, path, protocol = of_request.groups() if of_request else (None, request, None)
    return {
        "client_ip": address,
        "user_name": _value(user),
        "at": f"{year}-{_MONTHS[month]}-{day}T{clock}{hours}:{minutes}",
        "method": method,
        "path": _value(path),
        "protocol": protocol,
        "status": int(status),
        "bytes": None if size == "-" else int(size),
        "referrer": _value(referrer),
        "user_agent": _value(agent),
    }


def _value(text: str | None) -> str | None:
    return None if text in (None, "-", "") else text
