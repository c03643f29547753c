"""Twelve made-up stations, in the shape of the real ones: values drift, some are NA, one station reports late."""

import math
import random
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from lastmile.sampling.demo import Demo

STATIONS = tuple(f"station-{number:02}" for number in range(1, 13))
_WINDS = ("N", "NNE", "NE", "E", "SE", "S", "SSW", "W", "NW")


def make(start: datetime, seed: int) -> Iterator[Mapping[str, Any]]:
    """Every hour a reading of each station; the last one's come in the hour after."""
    rng, hour = random.Random(seed), start.replace(minute=0, second=0, microsecond=0)  # noqa: S311  # no secret
    dust, late = dict.fromkeys(STATIONS, 60.0), dict[str, Any]()
    while True:
        for station in STATIONS:
            dust[station] = max(3.0, dust[station] * math.exp(rng.gauss(0, 0.15)) + rng.gauss(0, 2))
            reading = _reading(rng, station, hour, min(dust[station], 900.0))
            if station == STATIONS[-1]:
                reading, late = late, reading
            if reading:
                yield reading
        hour += timedelta(hours=1)


def _reading(rng: random.Random, station: str, hour: datetime, dust: float) -> dict[str, Any]:
    warmth = 12 + 8 * math.sin((hour.hour - 9) / 24 * 2 * math.pi)
    values: dict[str, Any] = {
        "pm2_5": round(dust),
        "pm10": round(dust * rng.uniform(1.1, 1.8)),
        "so2": rng.randint(2, 60),
        "no2": rng.randint(5, 120),
        "co": rng.randint(2, 40) * 100,
        "o3": rng.randint(5, 200),
        "temperature": round(warmth + rng.gauss(0, 1), 1),
        "pressure": round(rng.uniform(995, 1030), 1),
        "dew_point": round(warmth - rng.uniform(3, 15), 1),
        "rain": round(rng.expovariate(1), 1) if rng.random() < 0.05 else 0.0,
        "wind_from": rng.choice(_WINDS),
        "wind": round(rng.uniform(0, 8), 1),
    }
    missing = {name: "NA" for name in values if rng.random() < 0.03}
    return {"station": station, "at": hour, **values, **missing}


demo = Demo("station_readings", "twelve stations, a reading of each an hour", make)
