"""Energi Data Service: Danish day-ahead prices by quarter of an hour, dataset DayAheadPrices. Data by Energinet.

Its request takes naive Danish local time, its answer carries UTC. It wants at most one request a minute; the cache that
is given sees to that. Belongs here: the wire format and what a price cannot be. Does not belong here: when to ask.
"""

import json
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.weather import HttpCache, RejectedForecastError, wire

PUBLIC_URL = "https://api.energidataservice.dk"
DATASET = "DayAheadPrices"
MIN_AGE = timedelta(minutes=25)
"""An answer serves two windows, and the third asks again where prices are still missing."""
SPACING = timedelta(minutes=1)
"""Least time between two requests to the server, by its terms."""
BOUNDS = (-1000.0, 6000.0)
"""EUR/MWh; the market's own limits are -500 and 4,000, and the latter is raised step by step."""
DKK_PER_EUR = (7.3, 7.6)
"""The krone is pegged to the euro at 7.46 and may move by 2.25 percent."""
PER_DAY = 100
"""Quarters of the longest day, with the hour that summer time gives back."""


class EnergiDataService:
    """The source of prices; also any server that speaks the same API."""

    name = "energi-data-service"

    def __init__(self, http: HttpCache, base_url: str = PUBLIC_URL) -> None:
        """`base_url` without the path."""
        self._http = http
        self._url = base_url.rstrip("/")

    @property
    def requests(self) -> int:
        """Requests sent upstream so far."""
        return self._http.requests

    def prices(self, area: str, first: date, end: date, now: datetime) -> tuple[pd.DataFrame, pd.Timestamp]:
        """Prices of the Danish days first .. end - 1, as far as they are published, and when they first arrived.

        Columns: valid_time (start of the quarter, UTC), price (DKK per kWh, without taxes). ForecastError, or its
        RejectedForecastError where the answer is not as documented.
        """
        params = {
            "start": f"{first}T00:00",
            "end": f"{end}T00:00",
            "filter": json.dumps({"PriceArea": [area]}, separators=(",", ":")),
            "sort": "TimeUTC",
            "limit": str(PER_DAY * max((end - first).days, 1)),
        }
        answer = self._http.get(f"{self._url}/dataset/{DATASET}", params, MIN_AGE, now)
        return parse(answer.body, area), pd.Timestamp(answer.received_at)


def parse(body: str, area: str) -> pd.DataFrame:
    """Prices of one area, strictly read; see EnergiDataService.prices. No rows where nothing is published."""
    name = EnergiDataService.name
    document = wire.parse_object(name, body)
    records = wire.member(name, document, "records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise RejectedForecastError(name, "wrong_schema", "records is not a list of objects")
    if not records:
        return pd.DataFrame({"valid_time": pd.DatetimeIndex([], tz="UTC"), "price": pd.Series(dtype=float)})
    odd = {str(record.get("PriceArea"))[:20] for record in records} - {area}
    if odd:
        raise RejectedForecastError(name, "wrong_schema", f"prices of {sorted(odd)}, asked for {area}")
    times = wire.utc_stamps(name, [record.get("TimeUTC") for record in records], "%Y-%m-%dT%H:%M:%S")
    euro = _values(records, "DayAheadPriceEUR", times)
    krone = _values(records, "DayAheadPriceDKK", times)
    _judge(times, euro, krone)
    return pd.DataFrame({"valid_time": times, "price": krone.to_numpy() / 1000})


def _values(records: list[dict[str, Any]], field: str, times: pd.DatetimeIndex) -> pd.Series:
    values = wire.numbers(EnergiDataService.name, field, [record.get(field) for record in records], times)
    if values.isna().any():
        raise RejectedForecastError(
            EnergiDataService.name, "missing_values", f"{field} at {values.index[values.isna()][0]}"
        )
    return values


def _judge(times: pd.DatetimeIndex, euro: pd.Series, krone: pd.Series) -> None:
    name = EnergiDataService.name
    on_grid = (times.minute % 15 == 0) & (times.second == 0)
    if not on_grid.all():
        raise RejectedForecastError(name, "wrong_schema", f"{times[~on_grid][0]} is not on a quarter of an hour")
    wild = (euro < BOUNDS[0]) | (euro > BOUNDS[1])
    if wild.any():
        raise RejectedForecastError(name, "out_of_bounds", f"{euro[wild].iloc[0]:g} EUR/MWh at {euro.index[wild][0]}")
    slack = 0.1
    low, high = np.sort(np.stack([euro * DKK_PER_EUR[0], euro * DKK_PER_EUR[1]]), axis=0)
    apart = (krone < low - slack) | (krone > high + slack)
    if apart.any():
        raise RejectedForecastError(name, "components_disagree", f"EUR and DKK at {krone.index[apart][0]}")
