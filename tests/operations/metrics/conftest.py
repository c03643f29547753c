"""Scrapes of an exporter on this test's database, with Dagster's tables in it."""

import pytest
from databases import dagster_in_postgres
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from lastmile.operations.metrics.exporter import registry
from lastmile.warehouse.connections import connect


class Scrape(dict):
    """Values by name and labels."""

    def __init__(self, text):
        self.samples = [one for family in text_string_to_metric_families(text) for one in family.samples]
        super().__init__({(one.name, *sorted(one.labels.items())): one.value for one in self.samples})

    def of(self, name, /, **labels):
        """The value of `lastmile_<name>`; None where there is none."""
        return self.get((f"lastmile_{name}", *sorted(labels.items())))


@pytest.fixture
def scraping(settings):
    """Makes exporters that read the database anew at each scrape; each is called for a scrape."""

    def make(installation=settings):
        found = registry(installation, seconds=0)
        return lambda: Scrape(generate_latest(found).decode())

    return make


@pytest.fixture
def scrape(scraping):
    return scraping()


@pytest.fixture
def instance(tmp_path, database_url):
    with dagster_in_postgres(tmp_path, database_url) as instance:
        yield instance


@pytest.fixture
def connection(database_url):
    with connect(database_url) as connection:
        yield connection
