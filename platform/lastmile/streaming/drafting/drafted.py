"""A first contract of the events of a topic, and a first stream that reads them under it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from lastmile.contracts import Contract
from lastmile.errors import UserError
from lastmile.ingestion.draft import Source, draft, open_file
from lastmile.ingestion.draft.check import contract_of
from lastmile.ingestion.draft.render import literal
from lastmile.ingestion.readers import Reader
from lastmile.streaming.declarations.stream import Format
from lastmile.streaming.drafting.event_time import event_times
from lastmile.streaming.drafting.events import Events, events_of
from lastmile.streaming.drafting.newest import Progress, Sample, newest
from lastmile.streaming.schemas.registry import Registry

_MOST_SHOWN = 5


@dataclass(frozen=True)
class Drafted:
    """The text of a contract, and of a stream where one can be declared. `said` is what was read and left out."""

    contract: str
    stream: str | None
    said: tuple[str, ...]


def drafted(
    kafka: Mapping[str, str],
    topic: str,
    form: Format,
    dataset: str,
    registry: Callable[[], Registry],
    progress: Progress = lambda messages: None,
) -> Drafted:
    """From the newest messages. Raises UserError where there is no such topic, or no event in it."""
    sample = newest(kafka, topic, progress)
    events = events_of(sample.messages, form, registry)
    if not events.frame.height or not events.frame.width:
        raise UserError("; ".join((f"topic {topic!r} has no event to draft from", *_faults(events))))
    with TemporaryDirectory(prefix="lastmile-topic-") as folder:
        file = Path(folder, "events.parquet")
        events.frame.write_parquet(file)
        text = draft([_source(file, topic, events)], dataset)
    contract = contract_of(text)
    times = event_times(contract)
    said = (_read(topic, sample, events), *_faults(events), *_without_time(topic, events, times))
    return Drafted(text, _stream(topic, contract, events, times), said)


def _source(file: Path, topic: str, events: Events) -> Source:
    """The events as the intake reads those that a stream lands."""
    source = open_file(file)

    def reopened(contract: Contract) -> Reader:
        return replace(source.open(contract), format={"format": events.found})

    return replace(source, name=f"topic {topic}", open=reopened, key=events.key, unit="day", timed=not events.key)


def _read(topic: str, sample: Sample, events: Events) -> str:
    of = "changes of rows" if events.format == "debezium" else "events"
    return (
        f"{topic}: {len(sample.messages):,} of {sample.there:,} messages in {sample.partitions} partitions were read,"
        f" {events.frame.height:,} {of} drafted from"
    )


def _faults(events: Events) -> tuple[str, ...]:
    if not events.poison.height:
        return ()
    rows = events.poison.select("_partition", "_offset", "reason").head(_MOST_SHOWN).iter_rows()
    shown = [f"partition {partition}, offset {offset}: {reason}" for partition, offset, reason in rows]
    more = events.poison.height - len(shown)
    return (
        f"{events.poison.height:,} messages are not read, and would be quarantined",
        *shown,
        *([f"and {more:,} more"] if more else []),
    )


def _without_time(topic: str, events: Events, times: list[str]) -> tuple[str, ...]:
    if times or events.format == "debezium":
        return ()
    why = (
        f"no stream can read {topic} yet: no column is a timestamp that every event has; declare one, with `formats`"
        " where it is written in a way of its own"
    )
    return (why,)


def _stream(topic: str, contract: Contract, events: Events, times: list[str]) -> str | None:
    name = contract.name
    if events.format == "debezium":
        if not contract.key:
            return None
        own = ['    format="debezium",', "    lands=False,"]
    elif not times:
        return None
    else:
        others = f"  # or {', '.join(times[1:])}" if times[1:] else ""
        form = [] if events.format == "auto" else [f"    format={literal(events.format)},"]
        own = [f"    event_time={literal(times[0])},{others}", "    lateness=timedelta(minutes=5),", *form]
    title = name.replace("_", " ").capitalize()
    imports = [] if events.format == "debezium" else ["from datetime import timedelta", ""]
    return "\n".join(
        [
            f'"""{title}, as topic {topic} has them. Drafted: go through it."""',
            "",
            *imports,
            "from lastmile.streaming import Stream",
            "",
            "stream = Stream(",
            f"    name={literal(name)},",
            f"    description={literal(f'{title}.')},",
            '    owner="team:unknown",',
            f"    topic={literal(topic)},",
            f"    contract={literal(name)},",
            *own,
            ")",
            "",
        ]
    )
