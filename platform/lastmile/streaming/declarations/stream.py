"""A stream: events of a topic under a contract, and what is made of them.

    stream = Stream(
        name="page_views",
        description="Page views of the shop, as browsers send them.",
        owner="team:shop",
        topic="page_views",
        contract="page_views",
        event_time="at",
        lateness=timedelta(minutes=5),
        steps=(pl.col("status") == 200, {"is_mobile": pl.col("agent").str.contains("Mobile")}),
        windows=(Tumbling(name="views", every=timedelta(minutes=1), keys=("page",), values={"views": pl.len()}),),
    )

in a file of a domain's `streams/`. Each event is held to the contract of its dataset. With `lands`, all events become
drops of it as well, which the intake loads and quarantines as any file. What is made of events does not depend on how
they were cut into batches: steps look at one event each, and whether an event is late depends on those before it in its
partition.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Literal

import polars as pl

from lastmile.contracts.annotated import mistyped
from lastmile.contracts.checks import is_row_separable
from lastmile.contracts.contract import Contract
from lastmile.contracts.names import COLUMN_NAME, COLUMN_NAME_IN_WORDS
from lastmile.streaming.declarations.aggregates import aggregates, expect_addable
from lastmile.streaming.declarations.alerts import StreamAlerts
from lastmile.streaming.declarations.columns import stored
from lastmile.streaming.declarations.joins import AsOf, Within
from lastmile.streaming.declarations.windows import Window

#: How the events lie in messages; "auto": as each message shows by its headers and first bytes.
Format = Literal["auto", "json", "avro", "protobuf", "arrow", "debezium"]
#: An expression that is true for the events that stay, or the columns that are added or replaced.
#: Or a table that columns are looked up in.
Step = pl.Expr | Mapping[str, pl.Expr] | AsOf
#: Columns that say where an event came from; an event of a message with one event only has index 0.
PLACE: Mapping[str, pl.DataType] = {
    "_partition": pl.Int32(),
    "_offset": pl.Int64(),
    "_index": pl.Int32(),
    "_timestamp": pl.Datetime("us", "UTC"),
}
#: Where polars goes on with its own plan of what was to be done.
_PLAN = "\n\nResolved plan"
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")


@dataclass(frozen=True, kw_only=True)
class Stream:
    """One stream. Raises ValueError where it says what cannot be done; what depends on its contract, `expect_fits`."""

    name: str
    description: str
    owner: str
    topic: str
    #: Name of the dataset whose contract the events are held to.
    contract: str
    #: The column that says when an event happened; changes of rows need none.
    event_time: str = ""
    #: How much older than the newest event of its partition an event may be.
    lateness: timedelta = timedelta(0)
    #: What becomes of events that are older: they go to quarantine with their lateness, or update their window.
    late: Literal["quarantine", "update"] = "quarantine"
    #: With "update" and a contract with a key, how much later than that an event may be: as long are keys remembered,
    #: so that one which comes again is known. Later ones go to quarantine.
    late_until: timedelta = timedelta(days=365)
    #: A partition that had no event for so long does not hold back the watermark.
    idle_after: timedelta = timedelta(seconds=30)
    format: Format = "auto"
    steps: Sequence[Step] = ()
    windows: Sequence[Window] = ()
    joins: Sequence[Within] = ()
    #: Whether the events become drops of the dataset.
    lands: bool = True
    alerts: StreamAlerts = field(default_factory=StreamAlerts)

    def __post_init__(self) -> None:
        if found := list(mistyped(self)) or list(self._faults()):
            raise ValueError(f"stream {self.name}: {'; '.join(found)}")

    @property
    def has_row_changes(self) -> bool:
        """Whether its messages are changes of rows of a database, which are applied to tables and not aggregated."""
        return self.format == "debezium"

    def expect_fits(self, contract: Contract) -> None:
        """Raises ValueError where the contract has not the columns, or the types, that the declaration needs."""
        if self.has_row_changes:
            if not contract.key:
                raise ValueError(
                    f"stream {self.name}: {contract.name} has no key, by which a change says of which row it is"
                )
            return
        kind = contract.kinds.get(self.event_time)
        if kind is None or kind.name != "timestamp":
            found = f"a {kind.name}" if kind else f"no column of that name; there are: {', '.join(contract.columns)}"
            raise ValueError(
                f"stream {self.name}: event_time {self.event_time!r} must be a timestamp of {contract.name}; it is"
                f" {found}"
            )
        if contract.columns[self.event_time].nullable:
            raise ValueError(
                f"stream {self.name}: event_time {self.event_time!r} may be empty in {contract.name}; make the column"
                " required there: an event without a time belongs to no window"
            )
        if self.lands and contract.policy.unknown_columns == "refuse":
            raise ValueError(
                f"stream {self.name}: its drops have the columns {', '.join(PLACE)}, which the contract of"
                f" {contract.name} refuses; give it the policy unknown_columns='rescue', or the stream lands=False"
            )
        schema = self.schema(contract)
        for window in self.windows:
            try:
                self._expect_columns(window, schema)
            except (ValueError, pl.exceptions.PolarsError) as error:
                raise ValueError(f"stream {self.name}, window {window.name}: {error}") from None

    def _expect_columns(self, window: Window, schema: Mapping[str, pl.DataType]) -> None:
        if absent := [key for key in window.keys if key not in schema]:
            raise ValueError(f"no columns {absent} after its steps; there are: {', '.join(schema)}")
        for key in window.keys:
            stored(schema[key])
            if schema[key].is_float():
                raise ValueError(
                    f"key {key!r} is a floating point number; make it a whole one in a step, such as"
                    f" pl.col({key!r}).cast(pl.Int64)"
                )
        for aggregate in aggregates(window.values):
            expect_addable(aggregate, schema)

    def schema(self, contract: Contract) -> Mapping[str, pl.DataType]:
        """The columns of an event after the steps, with their types. Raises ValueError where a step cannot be made."""
        try:
            return self.stepped(pl.DataFrame(schema={**contract.types(), **PLACE})).schema
        except pl.exceptions.PolarsError as error:
            why = str(error).partition(_PLAN)[0]
            raise ValueError(f"stream {self.name}: a step does not fit {contract.name}: {why}") from None

    def stepped(self, events: pl.DataFrame, tables: Mapping[str, pl.DataFrame] | None = None) -> pl.DataFrame:
        """The events after all steps, with the tables that they are looked up in; without, they find nothing there."""
        made = events.lazy()
        for step in self.steps:
            if isinstance(step, AsOf):
                made = step.looked_up(made, tables[step.name] if tables is not None else None, self.event_time)
            else:
                made = made.filter(step) if isinstance(step, pl.Expr) else made.with_columns(**step)
        return made.collect(engine="in-memory") if self.steps else events

    def _faults(self) -> Iterator[str]:
        if not COLUMN_NAME.fullmatch(self.name):
            yield f"its name must be {COLUMN_NAME_IN_WORDS}"
        if not _TOPIC.fullmatch(self.topic):
            yield f"topic {self.topic!r} is none: expected at most 249 letters, digits, `.`, `_` and `-`"
        if self.lateness < timedelta(0) or self.idle_after <= timedelta(0):
            yield "expected a lateness of 0 or more, and idle_after above 0"
        if self.late_until < timedelta(0):
            yield f"expected late_until of 0 or more; found {self.late_until}"
        yield from self._unfit_steps()
        names = [one.name for one in (*self.windows, *self.joins)]
        if repeated := sorted({name for name in names if names.count(name) > 1}):
            yield f"the windows or joins {repeated} are declared twice"
        if any(join.stream == self.name for join in self.joins):
            yield "it joins itself: declare a second stream of the same topic"
        yield from self._faults_of_use()

    def _faults_of_use(self) -> Iterator[str]:
        if self.has_row_changes:
            if self.windows or self.joins or self.steps or self.lands:
                yield "changes of rows have no steps, windows or joins, and are no drops: say lands=False"
            return
        if not self.event_time:
            yield "expected an event_time, the column that says when an event happened"
        if not (self.windows or self.joins or self.lands):
            yield "nothing is made of its events: give it windows, or lands=True"

    def _unfit_steps(self) -> Iterator[str]:
        for step in self.steps:
            added = {} if isinstance(step, pl.Expr) else step.columns if isinstance(step, AsOf) else step
            made = [step] if isinstance(step, pl.Expr) else [one for one in added.values() if isinstance(one, pl.Expr)]
            if unfit := [str(one) for one in made if not is_row_separable(one)]:
                yield f"a step looks at one event at a time; {unfit} looks at others: aggregate in a window"
            if taboo := [name for name in added if name in (*PLACE, self.event_time)]:
                yield f"the columns {taboo} cannot be replaced"
        lookups = [step.name for step in self.steps if isinstance(step, AsOf)]
        if repeated := sorted({name for name in lookups if lookups.count(name) > 1}):
            yield f"the lookups {repeated} are declared twice"
