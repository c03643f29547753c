"""In which form rows are answered: by `?format=`, else by what `Accept` prefers."""

from collections.abc import Collection
from typing import Annotated, Any, Literal

from fastapi import HTTPException, Query, Request

Format = Literal["json", "ndjson", "csv", "parquet", "arrow"]
InForm = Annotated[Format | None, Query(alias="format", description="in place of Accept")]
JSON = "application/json"
MEDIA_TYPES: dict[Format, str] = {
    "json": JSON,
    "ndjson": "application/x-ndjson",
    "csv": "text/csv",
    "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.stream",
}
#: For the documentation of an endpoint that answers rows.
FILES: dict[str, Any] = {
    "application/x-ndjson": {"schema": {"type": "string"}},
    "text/csv": {"schema": {"type": "string"}},
    "application/vnd.apache.parquet": {"schema": {"type": "string", "contentMediaType": "application/octet-stream"}},
    "application/vnd.apache.arrow.stream": {
        "schema": {"type": "string", "contentMediaType": "application/octet-stream"}
    },
}


def refusal(description: str) -> dict[str, Any]:
    """An error of an endpoint, for its documentation."""
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }


def chosen(request: Request, given: Format | None) -> Format:
    """Raises HTTPException, 406, where nothing that is accepted is offered."""
    if given is not None:
        return given
    accept = request.headers.get("accept", "*/*") or "*/*"
    for wanted in _preferred(accept):
        for name, offered in MEDIA_TYPES.items():
            if _fits(wanted, offered):
                return name
    raise HTTPException(406, f"expected Accept to have one of {_listed(MEDIA_TYPES.values())}; found {accept!r:.200}")


def _preferred(accept: str) -> list[str]:
    """Media types, those of the highest quality first, those of quality 0 not at all."""
    found = []
    for one in accept.split(","):
        name, *parameters = [part.strip() for part in one.lower().split(";")]
        quality = next((_number(part[2:]) for part in parameters if part.startswith("q=")), 1.0)
        if name and quality > 0:
            found.append((quality, name))
    return [name for _, name in sorted(found, key=lambda one: -one[0])]


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0


def _fits(wanted: str, offered: str) -> bool:
    return wanted in ("*/*", offered) or (wanted.endswith("/*") and offered.startswith(wanted[:-1]))


def _listed(names: Collection[str]) -> str:
    return ", ".join(names)
