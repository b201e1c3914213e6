"""MET Norway Locationforecast 2.0: the fallback. It has no radiation, so irradiance comes from cloud cover.

Its values are instants at their stamp; its terms ask for an identifying contact and at most 4 decimals of place. Data
CC-BY 4.0, MET Norway.
"""

from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.site.model import Place
from esus_pipeline.weather import grid, wire
from esus_pipeline.weather.http import HttpCache
from esus_pipeline.weather.source import Forecast, RejectedForecastError
from esus_pipeline.weather.sun import sun_at_middle, under_clouds, with_components

PUBLIC_URL = "https://api.met.no"

MIN_AGE = timedelta(minutes=5)
"""Where `Expires` is absent or in the past; it usually says half an hour."""

_DETAILS = {"air_temperature": "temp_air", "cloud_area_fraction": "cloud_cover", "wind_speed": "wind_speed"}
_GUST = "wind_speed_of_gust"
_UNITS = {"air_temperature": "celsius", "cloud_area_fraction": "%", "wind_speed": "m/s"}


class MetNorway:
    """The fallback source. The `http` that it is given must carry a contact."""

    name = "met-norway"

    def __init__(self, http: HttpCache, base_url: str = PUBLIC_URL) -> None:
        """`base_url` without the path."""
        self._http = http
        self._url = base_url.rstrip("/")

    @property
    def requests(self) -> int:
        """Requests sent upstream so far."""
        return self._http.requests

    def forecast(self, place: Place, now: datetime) -> Forecast:
        """The newest forecast: about 60 h ahead, as far as it is hourly. Raises ForecastError."""
        params = {
            "lat": f"{place.latitude:.4f}",
            "lon": f"{place.longitude:.4f}",
            "altitude": f"{round(place.altitude)}",
        }
        answer = self._http.get(f"{self._url}/weatherapi/locationforecast/2.0/complete", params, MIN_AGE, now)
        rows, issued_at = parse(answer.body, place)
        return Forecast(self.name, rows, pd.Timestamp(answer.received_at), issued_at)


def parse(body: str, place: Place) -> tuple[pd.DataFrame, pd.Timestamp]:
    """Rows of the 15-minute grid (frames.WEATHER_FORECAST from valid_time to cloud_cover), not yet judged; issue time.

    Raises RejectedForecastError where the answer is not as documented.
    """
    name = MetNorway.name
    document = wire.parse_object(name, body)
    meta = wire.member(name, document, "properties", "meta")
    units = wire.member(name, meta, "units")
    hourly = _hourly(wire.member(name, document, "properties", "timeseries"))
    wire.require_units(name, units, _UNITS | ({_GUST: "m/s"} if hourly[_GUST].notna().any() else {}))
    issued_at = wire.utc_stamps(name, [wire.member(name, meta, "updated_at")], "%Y-%m-%dT%H:%M:%SZ")[0]
    starts = grid.quarters(pd.DatetimeIndex(hourly.index))
    sun = sun_at_middle(place, starts)
    rows = pd.DataFrame({column: grid.mean_of_instants(hourly[wanted], starts) for wanted, column in _DETAILS.items()})
    hour = starts.floor("h")
    at_ends = (hourly[_GUST].reindex(ends).to_numpy() for ends in (hour, hour + grid.HOUR))
    rows = rows.assign(wind_gust=np.fmax(*at_ends), ghi=under_clouds(sun, rows["cloud_cover"]), dni=np.nan, dhi=np.nan)
    return with_components(rows, sun).assign(interval_minutes=15).reset_index(), issued_at


def _hourly(timeseries: Any) -> pd.DataFrame:
    """The leading hourly part of the series, one column per wanted detail."""
    name = MetNorway.name
    if not isinstance(timeseries, list):
        raise RejectedForecastError(name, "wrong_schema", "properties.timeseries is not a list")
    stamps = wire.utc_stamps(name, [wire.member(name, step, "time") for step in timeseries], "%Y-%m-%dT%H:%M:%SZ")
    details = [wire.member(name, step, "data", "instant", "details") for step in timeseries]
    if not all(isinstance(each, dict) for each in details):
        raise RejectedForecastError(name, "wrong_schema", "data.instant.details is not an object")
    series = {
        wanted: wire.numbers(name, wanted, [each.get(wanted) for each in details], stamps)
        for wanted in [*_DETAILS, _GUST]
    }
    whole = np.append(True, stamps[1:] - stamps[:-1] == grid.HOUR).cumprod().astype(bool)
    if whole.sum() < 2:
        raise RejectedForecastError(name, "wrong_schema", "hourly steps were expected")
    return pd.DataFrame(series, index=stamps)[whole]
