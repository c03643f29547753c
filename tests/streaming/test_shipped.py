"""The streams that ship, each from where its events come up to its windows; with the real data where it is at hand."""

import asyncio
import csv
import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
import pytest
from declaring import changed
from kafka_broker import RunningBroker
from mqtt_broker import running_mqtt
from streamed import Shop

from lastmile.client import AsyncProducer, Producer
from lastmile.contracts.loading import load_contracts
from lastmile.ingestion.discovery.listing import discover
from lastmile.ingestion.worker import ingest_pending
from lastmile.sampling.demo import load_demos
from lastmile.settings.mqtt import MqttSettings
from lastmile.store import Store
from lastmile.streaming.declarations.connectors import LogFiles, Mqtt, load_connectors
from lastmile.streaming.declarations.loading import load_streams
from lastmile.streaming.demonstrating import send
from lastmile.streaming.mqtt.bridge import Bridge
from lastmile.streaming.tail.combined import parsed
from lastmile.streaming.tail.following import Following
from lastmile.streaming.tail.positions import Positions

CONTRACTS = load_contracts("assets")
STREAMS = load_streams("assets", CONTRACTS)
CONNECTORS = load_connectors("assets", STREAMS)
DEMOS = load_demos("assets")
START = datetime(2026, 3, 1, 8, tzinfo=UTC)


@pytest.fixture
def shipped(kafka: RunningBroker, database_url: str, store: Store) -> Callable[[str], Shop]:
    """A stream of ours, on a topic of the test's own."""

    def made(name: str) -> Shop:
        stream = STREAMS[name]
        contract = changed(CONTRACTS[stream.contract], quiet_period=timedelta(0))
        return Shop(kafka, database_url, store, stream=stream, contract=contract)

    return made


def sent(shop: Shop, name: str, count: int) -> list[Mapping[str, Any]]:
    """Made-up events of a stream, which are in its topic."""
    client = {"bootstrap.servers": shop.kafka.servers}
    send(DEMOS[name].make(START, 7), shop.topic, client, count, None, lambda _: None)
    return list(islice(DEMOS[name].make(START, 7), count))


def ingested(shop: Shop) -> tuple[int, int]:
    """What the intake made of what landed: rows loaded and quarantined."""
    with psycopg.connect(shop.database_url, autocommit=True) as connection:
        discover(connection, shop.store, {shop.contract.name: shop.contract})
        partitions = [row["partition"] for row in shop.rows("SELECT DISTINCT partition FROM ledger.drops")]
        outcomes = ingest_pending(connection, shop.store, shop.contract, partitions, "run")
    assert {one.state for one in outcomes} == {"loaded"}
    return sum(one.loaded for one in outcomes), sum(one.quarantined for one in outcomes)


def test_every_declaration_can_be_used() -> None:
    assert [str(one) for found in (STREAMS, CONNECTORS, DEMOS) for one in found.broken] == []
    assert {"access_log", "page_beacons", "retail_lines", "station_readings"} <= set(STREAMS)
    assert set(DEMOS) <= set(STREAMS)


@pytest.mark.parametrize("name", sorted(DEMOS))
def test_a_demo_has_the_same_events_for_the_same_seed_and_others_for_another(name: str) -> None:
    first, again, other = (list(islice(DEMOS[name].make(START, seed), 500)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_the_real_access_log_is_followed_into_requests_by_minute(
    shipped: Callable[[str], Shop], shared_data: Path, tmp_path: Path
) -> None:
    """All but the line that is cut short, in whatever order they are."""
    shop, log = shipped("access_log"), tmp_path / "access.log"
    connector = CONNECTORS["access_log"]
    assert isinstance(connector, LogFiles)
    log.write_bytes((shared_data / "logs_web_apache" / "apache_logs").read_bytes())
    with Producer(shop.kafka.servers, shop.topic, tmp_path / "journal", discard=True) as producer:
        following = Following(connector, [str(log)], Positions(tmp_path / "positions.json"), producer)
        while following.step():
            pass
        following.stop()
        following.run()
    assert shop.read() == 9_999
    windows = shop.rows("SELECT window_start, requests, errors, missing, bytes_sent FROM windows.requests_by_minute")
    assert sorted(map(tuple, (row.values() for row in windows))) == _by_minute(log.read_text().splitlines())
    assert shop.quarantined() == []
    assert ingested(shop) == (9_999, 1)
    (bad,) = shop.rows("SELECT raw, reasons FROM quarantine.rows")
    assert "a quote is not closed" in str(bad)


def test_made_up_requests_are_on_time_and_counted(shipped: Callable[[str], Shop]) -> None:
    shop = shipped("access_log")
    events = sent(shop, "access_log", 3_000)
    assert shop.read() == 3_000
    (row,) = shop.rows("SELECT sum(requests) AS requests, sum(errors) AS errors FROM windows.requests_by_minute")
    assert row == {"requests": 3_000, "errors": sum(event["status"] >= 500 for event in events)}
    assert shop.quarantined() == []


def test_page_beacons_become_views_by_minute_and_visits(shipped: Callable[[str], Shop]) -> None:
    shop = shipped("page_beacons")
    events = sent(shop, "page_beacons", 4_000)
    sent(shop, "page_beacons", 500)  # again: each has its id
    assert shop.read() == 4_000
    (row,) = shop.rows("SELECT sum(views) AS views, sum(clicks) AS clicks FROM windows.page_views_by_minute")
    kinds = Counter(event["kind"] for event in events)
    assert row == {"views": kinds["view"], "clicks": kinds["click"]}
    visits = shop.rows("SELECT visitor_id, events, views, first_page, last_page FROM windows.visits")
    assert sorted(map(tuple, (row.values() for row in visits))) == _visits(events)


def test_real_stations_publish_by_mqtt_and_become_hours_and_days(
    shipped: Callable[[str], Shop], shared_data: Path, tmp_path: Path
) -> None:
    """Two stations, the first weeks of March 2013, with what they could not measure."""
    shop, connector = shipped("station_readings"), CONNECTORS["stations"]
    assert isinstance(connector, Mqtt)
    readings = [one for name in ("Aotizhongxin", "Changping") for one in _readings(shared_data, name, 400)]
    with running_mqtt(tmp_path) as mqtt:
        settings = MqttSettings(url=mqtt.url)
        asyncio.run(_carried(connector, settings, mqtt, shop, tmp_path / "journal", readings))
    assert shop.read() == len(readings)
    found = shop.rows(
        "SELECT station, window_start, readings, measured, round(pm2_5::numeric, 6) AS pm2_5, highest_pm2_5, rain_mm"
        " FROM windows.air_by_day"
    )
    assert sorted(map(tuple, (row.values() for row in found))) == _days(readings)
    hours = shop.rows("SELECT sum(stations) AS readings, max(stations) AS most FROM windows.air_by_hour")
    assert hours == [{"readings": len(readings), "most": 2}]
    assert ingested(shop) == (len(readings), 0)


def test_real_sales_are_added_up_by_hour_and_country(shipped: Callable[[str], Shop], shared_data: Path) -> None:
    shop = shipped("retail_lines")
    with (shared_data / "events_online_retail" / "2010-12-01.csv").open(newline="") as file:
        lines = sorted(csv.DictReader(file), key=lambda line: line["InvoiceDate"])
    shop.send(*(json.dumps(line).encode() for line in lines))
    bad = sum(1 for line in lines if not _fits(line))
    assert shop.read() == len(lines) - bad
    found = shop.rows("SELECT country, window_start, lines, pieces, pence FROM windows.sales_by_hour")
    assert sorted(map(tuple, (row.values() for row in found))) == _sales(filter(_fits, lines))


def _by_minute(lines: list[str]) -> list[tuple[Any, ...]]:
    """By plain Python."""
    found: dict[datetime, list[int]] = defaultdict(lambda: [0, 0, 0, 0])
    for text in lines:
        try:
            event = parsed(text)
        except ValueError:
            continue
        row = found[datetime.fromisoformat(event["at"]).replace(second=0)]
        for place, more in enumerate((1, event["status"] >= 500, event["status"] == 404, event["bytes"] or 0)):
            row[place] += more
    return sorted((minute, *row) for minute, row in found.items())


def _visits(events: list[Mapping[str, Any]]) -> list[tuple[Any, ...]]:
    """Gaps and islands, by plain Python."""
    by_visitor = defaultdict(list)
    for event in sorted(events, key=lambda event: event["received_at"]):
        visits = by_visitor[event["visitor_id"]]
        if not visits or event["received_at"] - visits[-1][-1]["received_at"] >= timedelta(minutes=30):
            visits.append([])
        visits[-1].append(event)
    return sorted(
        (
            visitor,
            len(visit),
            sum(event["kind"] == "view" for event in visit),
            visit[0]["page"],
            visit[-1]["page"],
        )
        for visitor, visits in by_visitor.items()
        for visit in visits
    )


def _readings(shared_data: Path, station: str, count: int) -> Iterator[dict[str, str]]:
    """As a station sends them: the file's columns by its names, its local hours as moments."""
    (file,) = (shared_data / "iot_beijing_air").glob(f"*{station}*.csv")
    with file.open(newline="") as opened:
        for row in islice(csv.DictReader(opened), count):
            day = f"{row['year']}-{int(row['month']):02}-{int(row['day']):02}"
            measured = {name: row[name] for name in ("PM2.5", "PM10", "SO2", "NO2", "CO", "O3", "TEMP", "RAIN", "wd")}
            yield {"station": station, "at": f"{day}T{int(row['hour']):02}:00:00+08:00", **measured}


async def _carried(
    connector: Mqtt, settings: MqttSettings, mqtt: Any, shop: Shop, journal: Path, readings: list[dict[str, str]]
) -> None:
    async with AsyncProducer(shop.kafka.servers, shop.topic, journal) as producer:
        bridge = Bridge(replace(connector, topics=("stations/+/readings",)), settings, producer)
        work = asyncio.create_task(bridge.run())
        await asyncio.sleep(1.0)
        for station in sorted({reading["station"] for reading in readings}):
            own = [reading for reading in readings if reading["station"] == station]
            payloads = [json.dumps({**reading, "station": None}).encode() for reading in own]
            await asyncio.to_thread(mqtt.publish, f"stations/{station}/readings", payloads)
        async with asyncio.timeout(60):
            while bridge.carried < len(readings):
                await asyncio.sleep(0.05)
        bridge.stop()
        await work


def _days(readings: list[dict[str, str]]) -> list[tuple[Any, ...]]:
    """By plain Python, with decimals."""
    days: dict[tuple[str, datetime], list[dict[str, str]]] = defaultdict(list)
    for reading in readings:
        at = datetime.fromisoformat(reading["at"]).astimezone(UTC)
        days[reading["station"], at.replace(hour=0)].append(reading)
    found = []
    for (station, day), of_day in days.items():
        dust = [Decimal(one["PM2.5"]) for one in of_day if one["PM2.5"] != "NA"]
        rain = [Decimal(one["RAIN"]) for one in of_day if one["RAIN"] != "NA"]
        mean = round(sum(dust) / len(dust), 6) if dust else None
        highest = max(dust) if dust else None
        found.append((station, day, len(of_day), len(dust), mean, highest, sum(rain) if rain else None))
    return sorted(found)


def _fits(line: Mapping[str, str]) -> bool:
    """As the contract has it: a sale has pieces, and a cancellation takes back."""
    is_return, pieces, price = line["InvoiceNo"].startswith("C"), int(line["Quantity"]), float(line["UnitPrice"])
    return pieces < 0 if is_return else (pieces > 0 or price <= 0)


def _sales(lines: Iterator[Mapping[str, str]]) -> list[tuple[Any, ...]]:
    found: dict[tuple[str, datetime], list[int]] = defaultdict(lambda: [0, 0, 0])
    for line in lines:
        pieces, price = int(line["Quantity"]), Decimal(line["UnitPrice"])
        if pieces * price > 0:
            at = datetime.fromisoformat(line["InvoiceDate"]).replace(minute=0, second=0, tzinfo=UTC)
            row = found[line["Country"], at]
            for place, more in enumerate((1, pieces, round(price * 100) * pieces)):
                row[place] += more
    return sorted((country, hour, *row) for (country, hour), row in found.items())
