"""What a process has loaded: of each model the champion, what may be wanted next, and the experiment that runs.

A thread listens for changes and loads; a request reads one reference at its start and keeps to it, so a change of
champion drops no request and no answer is of two versions. While the database or the store does not answer, what is
loaded stays.
"""

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from psycopg import Connection

from lastmile.catalogue import ModelEntry
from lastmile.catalogue.published import CHANNEL as CATALOGUE
from lastmile.catalogue.published import read
from lastmile.errors import Unreachable, UserError
from lastmile.learning.experiments.experiment import Experiment, experiments
from lastmile.learning.registry import deployments, exports
from lastmile.learning.registry.answers import CHANNEL as REGISTRY
from lastmile.learning.registry.artifacts import ArtifactRefused
from lastmile.learning.registry.exports import Export
from lastmile.learning.registry.versions import version_of
from lastmile.serving.predictions.batching import Batch
from lastmile.serving.predictions.inputs import Schema
from lastmile.serving.state import Serving
from lastmile.warehouse.connections import connect

log = logging.getLogger(__name__)

#: Versions kept that are neither champions nor part of an experiment.
_MOST_OTHERS = 8
_LISTENED_SECONDS, _RETRY_SECONDS, _FIRST_SECONDS = 0.25, 5.0, 20.0


@dataclass(frozen=True)
class Answering:
    """A version that is loaded, and the rows that wait for it."""

    entry: ModelEntry
    export: Export
    batch: Batch

    @property
    def version(self) -> str:
        return self.export.version.version


@dataclass(frozen=True)
class Served:
    """A declared model. `refused` says why nothing answers where `champion` is None, `without` why the experiment that
    runs cannot be answered by its versions."""

    schema: Schema
    deployed: str | None = None
    champion: Answering | None = None
    refused: str | None = None
    experiment: Experiment | None = None
    versions: Mapping[str, Answering] = field(default_factory=dict)
    without: str | None = None

    @property
    def entry(self) -> ModelEntry:
        return self.schema.model


class Loaded:
    """All models of one process. `observe` is called with the number of rows of each run, `changed` when it changed."""

    def __init__(self, here: Serving, observe: Callable[[int], None], changed: Callable[["Loaded"], None]) -> None:
        self._here, self._observe, self._changed = here, observe, changed
        self.models: Mapping[str, Served] = {}
        self.personal: frozenset[str] = frozenset()
        self.known = False
        self._others: OrderedDict[tuple[str, str], Answering] = OrderedDict()
        self._lock = threading.Lock()
        self._looked, self._stopping = threading.Event(), threading.Event()
        self._retry_at: float | None = None
        self._listener = threading.Thread(target=self._listen, name="champions", daemon=True)

    def open(self) -> None:
        """Returns when the champions are loaded, or cannot be for now."""
        self._listener.start()
        self._looked.wait(_FIRST_SECONDS)

    def close(self) -> None:
        self._stopping.set()
        self._listener.join()

    def at_hand(self, name: str, version: str) -> Answering | None:
        """A version that is loaded."""
        served = self.models.get(name)
        if served and served.champion and served.champion.version == version:
            return served.champion
        return (served.versions.get(version) if served else None) or self._others.get((name, version))

    def version(self, name: str, version: str) -> Answering:
        """Loaded if need be: call it from a thread. Raises UserError where there is none, ArtifactRefused where it has
        no export."""
        if found := self.at_hand(name, version):
            return found
        with self._here.reading() as connection:
            made = self._load(connection, self.models[name], version)
        with self._lock:
            self._others[name, version] = made
            while len(self._others) > _MOST_OTHERS:
                self._others.popitem(last=False)
        return made

    def _listen(self) -> None:
        while not self._stopping.is_set():
            try:
                with connect(self._here.database_url) as connection:
                    connection.execute(f"LISTEN {REGISTRY}; LISTEN {CATALOGUE}")
                    self._refresh(connection)
                    while not self._stopping.is_set():
                        heard = any(connection.notifies(timeout=_LISTENED_SECONDS, stop_after=1))
                        if heard or (self._retry_at and time.monotonic() >= self._retry_at):
                            self._refresh(connection)
            except Exception as error:
                self._looked.set()
                log.warning("changes of champions are not heard: %s", error)
                self._stopping.wait(_LISTENED_SECONDS)

    def _refresh(self, connection: Connection) -> None:
        self._retry_at = None
        catalogue = read(connection)
        running = {one.model: one for one in experiments(connection) if one.state == "running"}
        found = {}
        for name, entry in catalogue.models.items():
            if features := catalogue.feature_sets.get(entry.features):
                before = self.models.get(name)
                if before is None or (before.entry, before.schema.features) != (entry, features):
                    before = Served(Schema(entry, features))
                    self._forget(name)
                found[name] = self._served(connection, before, running.get(name))
        self.models, self.personal, self.known = found, catalogue.personal, True
        self._looked.set()
        self._changed(self)

    def _forget(self, name: str) -> None:
        with self._lock:
            for key in [key for key in self._others if key[0] == name]:
                del self._others[key]

    def _served(self, connection: Connection, before: Served, experiment: Experiment | None) -> Served:
        entry = before.entry
        deployed = deployments.deployment(connection, entry.name)
        version = deployed.version if deployed else None
        served = replace(before, experiment=experiment)
        usable = before.champion and before.champion.export.instead_of is None
        if version != before.deployed or not usable:
            served = self._with_champion(connection, served, version)
        return self._with_experiment(connection, served)

    def _with_champion(self, connection: Connection, served: Served, version: str | None) -> Served:
        entry = served.entry
        try:
            export = exports.in_use(connection, self._here.store, entry.name, entry.levels, served.schema.names)
        except ArtifactRefused as refused:
            return replace(served, deployed=version, champion=None, refused=str(refused))
        except Unreachable as away:
            log.warning("the champion of %s is not loaded: %s", entry.name, away)
            self._retry_at = time.monotonic() + _RETRY_SECONDS
            return replace(served, refused=None)
        if export is None:
            return replace(served, deployed=None, champion=None, refused="no version is in use yet")
        return replace(served, deployed=version, champion=self._answering(entry, export), refused=None)

    def _with_experiment(self, connection: Connection, served: Served) -> Served:
        entry, experiment = served.entry, served.experiment
        if experiment is None:
            return replace(served, versions={}, without=None)
        found = {}
        for version in experiment.versions:
            try:
                found[version] = self.at_hand(entry.name, version) or self._load(connection, served, version)
            except Unreachable:
                self._retry_at = time.monotonic() + _RETRY_SECONDS
                return replace(served, versions={}, without="the store does not answer")
            except (ArtifactRefused, UserError) as refused:
                return replace(served, versions={}, without=str(refused))
        return replace(served, versions=found, without=None)

    def _load(self, connection: Connection, served: Served, version: str) -> Answering:
        entry = served.entry
        found = version_of(connection, entry.name, version)
        return self._answering(entry, exports.load(self._here.store, found, entry.levels, served.schema.names))

    def _answering(self, entry: ModelEntry, export: Export) -> Answering:
        return Answering(entry, export, Batch(export.session, self._observe))
