"""Publishing what the code location declares, each time it is loaded, for processes that do not import it."""

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from psycopg.errors import UndefinedTable

from lastmile.catalogue.brought import brought
from lastmile.catalogue.describing import catalogue
from lastmile.catalogue.published import publish
from lastmile.contracts import Contract, Form, Route
from lastmile.errors import UserError
from lastmile.learning.declarations.feature_set import FeatureSet
from lastmile.learning.declarations.loading import Declared
from lastmile.learning.declarations.model import Model
from lastmile.operations.alerts.declared import declared_rules
from lastmile.operations.alerts.published import publish as publish_alerts
from lastmile.settings import Settings
from lastmile.sources.declarations.source import Source
from lastmile.streaming.declarations.stream import Stream
from lastmile.warehouse.connections import connect
from lastmile.warehouse.dbt.project import MANIFEST

log = logging.getLogger(__name__)


def publish_catalogue(
    contracts: Mapping[str, Contract],
    features: Mapping[str, Declared[FeatureSet]],
    models: Mapping[str, Declared[Model]],
    dbt_project: Path | None,
    sources: Mapping[str, Source],
    streams: Mapping[str, Stream],
    forms: Mapping[str, Form],
    routes: Sequence[Route] = (),
) -> None:
    """A no-op where no database is configured, as when definitions are only checked, or it has no tables yet."""
    url = Settings.from_environment().given_database_url
    if url is None:
        return
    found = catalogue(
        contracts.values(),
        [one.value for one in features.values()],
        [one.value for one in models.values()],
        _manifest(dbt_project) if dbt_project else None,
        forms.values(),
        brought(sources, streams, contracts),
    )
    rules = declared_rules(
        contracts.values(), [one.value for one in models.values()], streams.values(), sources.values()
    )
    try:
        with connect(url) as connection:
            publish(connection, found)
            publish_alerts(connection, rules, routes)
    except (UserError, UndefinedTable) as error:
        log.warning("the catalogue is not published: %s", error)


def _manifest(dbt_project: Path) -> dict[str, Any] | None:
    file = dbt_project / MANIFEST
    found: dict[str, Any] | None = json.loads(file.read_text()) if file.exists() else None
    return found
