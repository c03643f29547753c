"""The committed description of the API, so that a change of it is seen before it is made.

`python -m lastmile.serving.openapi docs/openapi.json` writes it; no database is needed. `differences` says of two
descriptions what the change means to who calls the API.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

from lastmile.serving.app import make_app
from lastmile.serving.state import Serving
from lastmile.settings import Settings
from lastmile.settings.api import ApiSettings
from lastmile.store import open_store

Schema = Mapping[str, Any]


class Difference(NamedTuple):
    """One that breaks makes a request or an answer that fits today one that does not fit tomorrow."""

    breaks: bool
    what: str

    def __str__(self) -> str:
        return f"{'breaking' if self.breaks else 'additive'}: {self.what}"


def description() -> dict[str, Any]:
    """That of an installation with nothing configured."""
    with TemporaryDirectory() as folder:
        home = Path(folder)
        settings = Settings(home, None, (home / "store").as_uri(), "assets")
        found = make_app(Serving(settings, ApiSettings(), open_store(settings), "")).openapi()
    return dict(json.loads(json.dumps(found)))


def written(found: Schema) -> str:
    return json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def differences(before: Schema, after: Schema) -> list[Difference]:
    """Of paths, parameters, bodies and answers; words are not compared."""
    return list(_Compared(before, after).all())


class _Compared:
    def __init__(self, before: Schema, after: Schema) -> None:
        self._before, self._after = before, after

    def all(self) -> Iterator[Difference]:
        before, after = _operations(self._before), _operations(self._after)
        yield from _names("", before, after)
        for name in before.keys() & after.keys():
            yield from self._operation(name, before[name], after[name])

    def _operation(self, where: str, before: Schema, after: Schema) -> Iterator[Difference]:
        old, new = _parameters(before), _parameters(after)
        yield from _names(f"{where}, parameter ", old, new, required={n for n, one in new.items() if one["required"]})
        for name in old.keys() & new.keys():
            place = f"{where}, parameter {name}"
            if new[name]["required"] and not old[name]["required"]:
                yield Difference(True, f"{place} is required now")
            yield from self._schema(place, old[name]["schema"], new[name]["schema"], True, ())
        yield from self._content(f"{where}, body", before.get("requestBody", {}), after.get("requestBody", {}), True)
        if after.get("requestBody", {}).get("required") and not before.get("requestBody", {}).get("required"):
            yield Difference(True, f"{where}, body is required now")
        yield from _names(f"{where}, answer ", before["responses"], after["responses"])
        for status in before["responses"].keys() & after["responses"].keys():
            place = f"{where}, answer {status}"
            yield from self._content(place, before["responses"][status], after["responses"][status], False)

    def _content(self, where: str, before: Schema, after: Schema, is_input: bool) -> Iterator[Difference]:
        old, new = before.get("content", {}), after.get("content", {})
        yield from _names(f"{where} as ", old, new)
        for kind in old.keys() & new.keys():
            yield from self._schema(where, old[kind].get("schema", {}), new[kind].get("schema", {}), is_input, ())

    def _schema(
        self, where: str, before: Schema, after: Schema, is_input: bool, within: tuple[str, ...]
    ) -> Iterator[Difference]:
        name = before.get("$ref", "")
        if name and name in within:
            return
        within = (*within, name) if name else within
        before, after = _resolved(self._before, before), _resolved(self._after, after)
        if (old := _kind(before)) != (new := _kind(after)):
            yield Difference(
                not _widened(old, new) if is_input else not _widened(new, old), f"{where}: {old}, now {new}"
            )
        fields, others = before.get("properties", {}), after.get("properties", {})
        required = set(after.get("required", ()))
        yield from _names(f"{where}, field ", fields, others, required=required if is_input else set())
        for field in fields.keys() & others.keys():
            place = f"{where}, field {field}"
            was, is_now = field in before.get("required", ()), field in required
            if was != is_now:
                yield Difference(is_now if is_input else was, f"{place} is {'required' if is_now else 'optional'} now")
            yield from self._schema(place, fields[field], others[field], is_input, within)
        if "items" in before and "items" in after:
            yield from self._schema(f"{where}, item", before["items"], after["items"], is_input, within)
        for old_one, new_one in zip(_choices(before), _choices(after), strict=False):
            yield from self._schema(where, old_one, new_one, is_input, within)


def _operations(found: Schema) -> dict[str, Any]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in sorted(found["paths"].items())
        for method, operation in sorted(methods.items())
    }


def _parameters(operation: Schema) -> dict[str, Any]:
    return {f"{one['name']} ({one['in']})": {"required": False, **one} for one in operation.get("parameters", ())}


def _names(where: str, before: Schema, after: Schema, required: set[str] | None = None) -> Iterator[Difference]:
    for name in sorted(before.keys() - after.keys()):
        yield Difference(True, f"{where}{name} is gone")
    for name in sorted(after.keys() - before.keys()):
        needed = name in (required or ())
        yield Difference(needed, f"{where}{name} is new{' and required' if needed else ''}")


def _resolved(whole: Schema, schema: Schema) -> Schema:
    if "$ref" not in schema:
        return schema
    found: Schema = whole["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return found


def _choices(schema: Schema) -> list[Schema]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _kind(schema: Schema) -> tuple[str, ...]:
    """Types, or values of an enumeration; those of choices together."""
    if "enum" in schema or "const" in schema:
        return tuple(sorted(json.dumps(one) for one in schema.get("enum", [schema.get("const")])))
    if choices := _choices(schema):
        return tuple(sorted({kind for one in choices for kind in _kind(one)}))
    kinds = schema.get("type", schema.get("$ref", "anything"))
    return tuple(sorted([kinds] if isinstance(kinds, str) else kinds))


def _widened(narrow: tuple[str, ...], wide: tuple[str, ...]) -> bool:
    return set(narrow) <= set(wide) or wide == ("anything",)


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(written(description()))
