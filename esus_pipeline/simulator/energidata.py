"""The price API in the shape of Energi Data Service's `/dataset/DayAheadPrices`.

Belongs here: its parameters, its records, and a price with the shape of a Danish day: two peaks, a dip at noon that the
sun can push below zero, days of different levels.
"""

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from starlette.datastructures import QueryParams

from esus_pipeline.simulator.noise import HOUR, Floats, Ints, normal, smooth

ZONE = ZoneInfo("Europe/Copenhagen")
AREAS = ("DK1", "DK2")
QUARTER_S = 900
PUBLISHED = 13
"""Local hour at which tomorrow's prices appear."""
DKK_PER_EUR = 7.46
_SHAPE = np.array(
    [62, 58, 55, 54, 58, 72, 95, 112, 108, 84, 62, 48, 40, 38, 45, 62, 88, 118, 126, 112, 95, 82, 74, 66]
)  # fmt: skip
"""EUR/MWh by hour of the local day."""


class QueryError(ValueError):
    """A request that the server refuses with 400."""


@dataclass(frozen=True)
class Query:
    """A parsed request; instants in seconds since 1970."""

    areas: list[str]
    start: int
    end: int
    limit: int
    offset: int


def parse(query: QueryParams, now: datetime) -> Query:
    """The request; QueryError with the reason where it is not one."""
    try:
        filters = json.loads(query.get("filter", "{}"))
        areas = [str(area) for area in filters.get("PriceArea", AREAS)]
        limit, offset = int(query.get("limit") or 100), int(query.get("offset") or 0)
    except (ValueError, AttributeError, TypeError) as error:
        raise QueryError(f"filter, limit or offset: {error}") from error
    today = now.astimezone(ZONE).date()
    start = _instant(query.get("start"), today - timedelta(days=1))
    end = _instant(query.get("end"), today + timedelta(days=2))
    return Query([area for area in areas if area in AREAS], start, end, limit, offset)


def answer(query: Query, seed: int, now: datetime) -> dict[str, object]:
    """Records of [start, end), oldest first, as far as they are published at `now`."""
    local = now.astimezone(ZONE)
    published = _midnight(local.date() + timedelta(days=2 if local.hour >= PUBLISHED else 1))
    stamps = np.arange(-(-query.start // QUARTER_S) * QUARTER_S, min(query.end, published), QUARTER_S, dtype=np.int64)
    records = [record for area in query.areas for record in _records(area, seed, stamps)]
    records.sort(key=lambda record: str(record["TimeUTC"]))
    shown = records[query.offset :][: query.limit or None]
    return {
        "total": len(records),
        "filters": json.dumps({"PriceArea": query.areas}),
        "limit": query.limit,
        "dataset": "DayAheadPrices",
        "records": shown,
    }


def euro_per_mwh(area: str, seed: int, stamps: Ints) -> Floats:
    """Prices of quarters that start at the stamps."""
    moments = [datetime.fromtimestamp(stamp, ZONE) for stamp in stamps.tolist()]
    hour = np.array([moment.hour + moment.minute / 60 for moment in moments])
    day = np.array([moment.toordinal() for moment in moments], dtype=np.int64)
    season = 0.5 - 0.5 * np.cos(2 * np.pi * (day % 365) / 365)
    level = np.clip(1 + 0.3 * normal(seed, f"price/{area}", day), 0.3, 2.2)
    noon = 45 * season * np.exp(-(((hour - 13.5) / 2.5) ** 2)) * np.clip(1 + normal(seed, f"sun/{area}", day), 0, 2)
    wiggle = 4 * smooth(seed, f"wiggle/{area}", stamps, HOUR)
    shape = np.interp(hour, np.arange(25), np.append(_SHAPE, _SHAPE[0]))
    return np.asarray(shape * level - noon + wiggle)


def _records(area: str, seed: int, stamps: Ints) -> list[dict[str, object]]:
    return [
        {
            "TimeUTC": _iso(datetime.fromtimestamp(stamp, ZoneInfo("UTC"))),
            "TimeDK": _iso(datetime.fromtimestamp(stamp, ZONE)),
            "PriceArea": area,
            "DayAheadPriceEUR": round(price, 2),
            "DayAheadPriceDKK": round(round(price, 2) * DKK_PER_EUR, 4),
        }
        for stamp, price in zip(stamps.tolist(), euro_per_mwh(area, seed, stamps).tolist(), strict=True)
    ]


def _instant(text: str | None, default: date) -> int:
    if not text:
        return _midnight(default)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise QueryError(f"start or end {text!r} is not a Danish local time such as 2026-06-21T00:00") from error
    return round(moment.replace(tzinfo=ZONE).timestamp())


def _midnight(day: date) -> int:
    return round(datetime(day.year, day.month, day.day, tzinfo=ZONE).timestamp())


def _iso(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")
