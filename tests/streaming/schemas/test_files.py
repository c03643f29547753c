"""The registry in a store: numbers are given once, also to many at once, and stay."""

import json
import threading
from typing import Any

import pytest

from lastmile.store import Store
from lastmile.streaming.schemas.files import FileRegistry, Incompatible
from lastmile.streaming.schemas.schema import Invalid, Schema, Unknown

NULL = {"default": None}


def avro(*fields: tuple[str, Any], **more: Any) -> Schema:
    made = [{"name": name, "type": kind, **({} if isinstance(kind, str) else NULL)} for name, kind in fields]
    return Schema("AVRO", json.dumps({"type": "record", "name": "Event", "fields": made, **more}))


def test_many_that_register_at_once_give_each_schema_one_number(store: Store) -> None:
    schemas = [avro(("id", "long"), *((f"x{n}", ["null", "int"]) for n in range(more))) for more in range(4)]
    given: list[tuple[str, int, int]] = []

    def register(worker: int) -> None:
        registry = FileRegistry(store)
        for turn in range(4):
            found = registry.register(f"s{worker % 2}", schemas[(worker + turn) % 4])
            given.append((found.schema.text, found.id, found.version))

    threads = [threading.Thread(target=register, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(given) == 24
    assert len({(text, number) for text, number, _ in given}) == 4
    assert {number for _, number, _ in given} == {1, 2, 3, 4}
    registry = FileRegistry(store)
    for subject in ("s0", "s1"):
        assert registry.versions(subject) == [1, 2, 3, 4]
        assert len({registry.version(subject, one).id for one in (1, 2, 3, 4)}) == 4


def test_another_process_knows_what_was_registered(store: Store) -> None:
    made = FileRegistry(store).register("a", avro(("id", "long")))
    assert FileRegistry(store).by_id(made.id) == made.schema
    assert FileRegistry(store).version("a") == made


@pytest.mark.parametrize(
    ("level", "is_refused"),
    [("BACKWARD", False), ("FORWARD", True), ("FULL", True), ("NONE", False)],
)
def test_a_level_decides_what_may_change(store: Store, level: Any, is_refused: bool) -> None:
    """Without a field that others need, the new one still reads the old."""
    registry = FileRegistry(store)
    registry.register("a", avro(("id", "long"), ("needed", "long")))
    registry.set_level(level, "a")
    if is_refused:
        with pytest.raises(Incompatible, match="who has version 1 cannot read it: field needed is not there"):
            registry.register("a", avro(("id", "long")))
    else:
        assert registry.register("a", avro(("id", "long"))).version == 2


def test_transitive_levels_compare_with_all_versions(store: Store) -> None:
    registry = FileRegistry(store)
    registry.set_level("NONE")
    for kind in ("string", "int"):
        registry.register("a", avro(("x", kind)))
    registry.set_level("BACKWARD")
    assert registry.broken_by("a", avro(("x", "long"))) == []
    registry.set_level("BACKWARD_TRANSITIVE")
    said = "what version 1 wrote cannot be read: field x is string, expected long"
    assert registry.broken_by("a", avro(("x", "long"))) == [said]


def test_a_subject_has_schemas_of_one_kind(store: Store) -> None:
    registry = FileRegistry(store)
    registry.register("a", avro(("x", "int")))
    with pytest.raises(Incompatible, match="version 1 is AVRO, this is JSON"):
        registry.register("a", Schema("JSON", '{"type": "object"}'))


def test_what_is_not_there_is_said_with_what_is(store: Store) -> None:
    registry = FileRegistry(store)
    registry.register("..", avro(("x", "int")))
    assert registry.subjects() == [".."]
    with pytest.raises(Unknown, match="has no version 9; there are 1"):
        registry.version("..", 9)
    with pytest.raises(Unknown, match="no schema of number 7"):
        registry.by_id(7)
    for unfit in ("", "a\n", "x" * 300):
        with pytest.raises(Invalid, match="a subject has"):
            registry.register(unfit, avro(("x", "int")))
