"""A real Prometheus scrapes a real platform that has worked through a sample: every query shipped finds its data.

About four minutes on two idle cores, most of them the platform's work.
"""

import os
import re
import shutil
import subprocess
import sys
import threading
from contextlib import contextmanager

import httpx
import psycopg
import pytest
import yaml
from checkout import PROJECT
from deploy.observability.queries import PLACE, metrics, of_dashboards, of_rules
from end_to_end.installation import Installation, wait_for
from orders import shop_at
from psycopg import sql
from rest_server import api_server
from streamed import Shop, sale

from lastmile.embedded import postgres
from lastmile.embedded.processes import free_port
from lastmile.settings import Settings
from lastmile.store import open_store
from lastmile.warehouse.migrate import is_current

pytestmark = pytest.mark.skipif(not shutil.which("prometheus"), reason="Prometheus is not installed (apt: prometheus)")

EXPORTER = """
import sys, threading
from lastmile.operations.metrics.exporter import serve
from lastmile.settings import Settings
serve(Settings.from_environment(), int(sys.argv[1]))
threading.Event().wait()
"""
PATHS = ("/status", "/api/v1/health/ready", "/drops?dataset=crop", "/drops/999999", "/datasets/crop", "/metrics")
HOUSEHOLDS = sql.SQL("SELECT hhid FROM predictions.{} LIMIT 20")
#: What a platform where all is well has no series of, and why.
ABSENT = {
    "overview: Alerts of Prometheus A": "no alert fires",
    "runs: Checks that fail A": "the sample may have none",
    "models: Score on rows that training never saw A": "no labelled row has come after the champion was trained",
    "lastmile_model_score": "no labelled row has come after the champion was trained",
    "lastmile_work_errors_total": "nothing failed",
    "lastmile_records_waiting": "no records were sent",
    "streams: Left out in an hour, by rule A": "nothing was left out",
    "lastmile_stream_left_out": "nothing was left out",
    "streams: Log that databases keep for us A": "no database is followed",
    "lastmile_source_slot_bytes": "no database is followed",
    "ALERTS": "no alert fires",
}
#: Of tables that are empty, or not there, until there are alerts and backups.
LATER = ("lastmile_alert", "lastmile_backup", "lastmile_drill", "lastmile_log_archive", "lastmile_watcher")


class Prometheus:
    """One that has scraped for a while."""

    def __init__(self, port):
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=30)

    def ask(self, query):
        """Values by labels; fails the test where the query is wrong."""
        answer = self.client.get("/query", params={"query": query}).json()
        assert answer["status"] == "success", (query, answer)
        return {tuple(sorted(one["metric"].items())): float(one["value"][1]) for one in answer["data"]["result"]}

    def names(self):
        return {
            name for name in self.client.get("/label/__name__/values").json()["data"] if name.startswith("lastmile_")
        }


@pytest.fixture(scope="module")
def scraped(tmp_path_factory, kafka):
    """Prometheus, after it has scraped a platform from its first drop to answers of its models, that reads a stream."""
    folder = tmp_path_factory.mktemp("scraped")
    with Installation(folder / "home") as one:
        one.run("sample", "household_survey", "--size", "800", "--seed", "11", "--partitions", "2021-2023")
        api = free_port()
        with (folder / "up.log").open("w") as output:
            one.start("up", "--port", str(free_port()), "--api-port", str(api), output=output)
        url = wait_for(lambda: postgres.running(one.home / "postgres"))
        streaming = stream_and_source(kafka, url, folder)
        with exporter(one, url) as port, prometheus(folder, port, api) as found, streaming:
            wait_for(lambda: found.ask('up{job="lastmile-api"} == 1'))
            key = one.run("keys", "create", "a device", "--role", "engineer", "--quiet").strip()
            loaded = wait_for(lambda: found.ask("lastmile_model_loaded and on (model) lastmile_predicted_rows"), 900, 2)
            model = dict(next(iter(loaded)))["model"]

            def counted():  # a rate needs a request after the first that was scraped
                requested(api, key, url, model)
                return found.ask("sum(rate(lastmile_predictions_total[1m])) > 0")

            wait_for(counted, every=2.5)
            wait_for(lambda: found.ask("lastmile_model_drifted_inputs"), 900, 2)  # monitoring follows predictions
            yield found


@contextmanager
def stream_and_source(kafka, url, folder):
    """A stream that a process reads, and a source that was fetched from, next to what the assets declare."""
    wait_for(lambda: is_current(url), 300)
    store = open_store(Settings(folder, url, (folder / "other").as_uri(), "none"))
    with api_server() as api, shop_at(api, store, url) as orders:
        orders.add(1, 2, 3)
        orders.fetch()
    shop = Shop(kafka, url, store, partitions=4)
    for partition in range(4):
        shop.send(*(sale(number, number) for number in range(100)), partition=partition)
    running = shop.running(until_caught_up=False, lands=True)
    thread = threading.Thread(target=running.run)
    thread.start()
    yield
    running.stop()
    thread.join(60)


@contextmanager
def exporter(installation, url):
    """What the watcher serves, in a process of its own."""
    port = free_port()
    environment = {**installation.environment, "LASTMILE_DATABASE_URL": url}
    with running([sys.executable, "-c", EXPORTER, str(port)], environment):
        yield port


@contextmanager
def prometheus(folder, exporter_port, api_port):
    """As it is configured for one machine, but for ports and time."""
    text = (PLACE / "prometheus" / "one_machine.yml").read_text()
    for before, after in (
        ("127.0.0.1:3200", f"127.0.0.1:{exporter_port}"),
        ("127.0.0.1:3100", f"127.0.0.1:{api_port}"),
        ("[rules.yml]", f"[{PLACE / 'prometheus' / 'rules.yml'}]"),
        ("15s", "2s"),
    ):
        assert before in text
        text = text.replace(before, after)
    (folder / "prometheus.yml").write_text(text)
    port = free_port()
    places = [f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={folder / 'series'}"]
    with running(["prometheus", *places, f"--web.listen-address=127.0.0.1:{port}"], {**os.environ}):
        found = Prometheus(port)
        wait_for(lambda: answers(found))
        yield found


@contextmanager
def running(command, environment):
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield process
    finally:
        process.terminate()
        process.wait(60)


def answers(found):
    try:
        return found.ask("up") is not None
    except (httpx.HTTPError, ValueError):
        return False


def requested(port, key, url, model):
    """Some of what people and devices request."""
    with (
        httpx.Client(base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {key}"}) as client,
        psycopg.connect(url) as database,
    ):
        for path in PATHS:
            client.get(path, timeout=60)
        for (hhid,) in database.execute(HOUSEHOLDS.format(sql.Identifier(model))).fetchall():
            answer = client.post(f"/api/v1/models/{model}/predict", json={"ids": [{"hhid": hhid}]}, timeout=60)
            assert answer.status_code == 200, answer.text


def test_every_query_of_the_dashboards_returns_data(scraped):
    empty = {where: query for where, query in of_dashboards() if where not in ABSENT and not scraped.ask(query)}
    assert empty == {}


def test_every_rule_is_about_series_that_there_are(scraped):
    rules = dict(of_rules())
    for query in rules.values():
        scraped.ask(query)
    absent = {
        (rule, name)
        for rule, query in rules.items()
        for name in metrics(query)
        if name not in ABSENT and not name.startswith(LATER) and not scraped.ask(f"count({name})")
    }
    assert absent == set()


def test_no_alert_fires_while_all_is_well(scraped):
    assert scraped.ask('ALERTS{alertstate="firing"}') == {}


def test_work_of_every_kind_of_process_is_counted(scraped):
    done = {dict(labels)["work"] for labels in scraped.ask("sum by (work) (lastmile_work_seconds_count) > 0")}
    assert {"run.tick", "run.step", "ingest.copy", "dbt.model", "learning.train", "serving.predict"} <= done
    assert (
        scraped.ask('sum(lastmile_work_rows_total{work="ingest.drop"})')[()]
        == scraped.ask('sum(lastmile_rows{outcome="read"})')[()]
    )
    up = {dict(labels)["process"]: value for labels, value in scraped.ask("lastmile_process_up").items()}
    assert {name: up.get(name) for name in ("daemon", "code-server", "api", "webserver")} == dict.fromkeys(
        ("daemon", "code-server", "api", "webserver"), 1
    )


def test_each_series_is_scraped_once_whichever_process_could_tell_it(scraped):
    jobs = scraped.ask('count by (__name__) (count by (__name__, job) ({__name__=~"lastmile_.*"}))')
    twice = {dict(labels)["__name__"] for labels, count in jobs.items() if count > 1}
    assert {name for name in twice if not name.startswith("lastmile_work_")} == set()


def test_every_metric_is_documented(scraped):
    documented = set(re.findall(r"lastmile_\w+", (PROJECT / "docs" / "monitoring.md").read_text()))
    bare = {re.sub(r"_(bucket|sum|count|total|created)$", "", name) for name in scraped.names()}
    assert {name for name in bare if name not in documented and f"{name}_total" not in documented} == set()


def test_the_configuration_of_a_cluster_differs_in_its_addresses_and_the_key_of_the_api_only():
    one, many = (
        yaml.safe_load((PLACE / "prometheus" / name).read_text()) for name in ("one_machine.yml", "prometheus.yml")
    )
    for config in (one, many):
        for job in config["scrape_configs"]:
            del job["static_configs"]
    assert many["scrape_configs"][1].pop("authorization") == {"credentials_file": "/run/secrets/metrics_key"}
    assert one == many
