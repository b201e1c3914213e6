"""Open-Meteo: hourly and 15-minute forecasts, and past weather for hindcasts. Data CC-BY 4.0, open-meteo.com.

Its stamps: radiation is the mean and the gust the maximum of the interval that ENDS at the stamp; temperature, wind
and cloud are instants.
"""

from datetime import date, datetime, timedelta

import pandas as pd

from esus_pipeline.site.model import Place
from esus_pipeline.weather import grid, wire
from esus_pipeline.weather.http import HttpCache
from esus_pipeline.weather.source import Forecast, RejectedForecastError
from esus_pipeline.weather.sun import sun_at_middle, with_components

PUBLIC_URL = "https://api.open-meteo.com"
PUBLIC_HISTORY_URL = "https://historical-forecast-api.open-meteo.com"

MIN_AGE = timedelta(minutes=25)
"""Open-Meteo sends no cache headers; an answer serves two quarter-hours, and the third asks again."""

RECENT = timedelta(days=85)
"""The forecast API itself answers for about three months back."""

_INSTANTS = {"temperature_2m": "temp_air", "wind_speed_10m": "wind_speed", "cloud_cover": "cloud_cover"}
_RADIATION = {"shortwave_radiation": "ghi", "direct_normal_irradiance": "dni", "diffuse_radiation": "dhi"}
_GUST = "wind_gusts_10m"
_UNITS = {"temperature_2m": "°C", "wind_speed_10m": "m/s", "cloud_cover": "%", _GUST: "m/s"} | dict.fromkeys(
    _RADIATION, "W/m²"
)
_STAMP = "%Y-%m-%dT%H:%M"


class OpenMeteo:
    """The default source; also serves any server that speaks the same API."""

    name = "open-meteo"

    def __init__(self, http: HttpCache, base_url: str = PUBLIC_URL, history_url: str | None = None) -> None:
        """`history_url` answers for days before the last three months; other servers answer for them themselves."""
        self._http = http
        self._url = base_url.rstrip("/")
        public = self._url == PUBLIC_URL
        self._history_url = (history_url or (PUBLIC_HISTORY_URL if public else self._url)).rstrip("/")

    @property
    def requests(self) -> int:
        """Requests sent upstream so far."""
        return self._http.requests

    def forecast(self, place: Place, now: datetime) -> Forecast:
        """The newest forecast: yesterday to three days ahead. Raises ForecastError."""
        return self._get(self._url, place, {"past_days": "1", "forecast_days": "4"}, now)

    def past(self, place: Place, first: date, last: date, now: datetime) -> Forecast:
        """Weather of the UTC days first..last as the server tells it today. Raises ForecastError."""
        base = self._url if now.date() - first <= RECENT else self._history_url
        return self._get(base, place, {"start_date": first.isoformat(), "end_date": last.isoformat()}, now)

    def _get(self, base: str, place: Place, days: dict[str, str], now: datetime) -> Forecast:
        params = {
            "latitude": f"{place.latitude:.4f}",
            "longitude": f"{place.longitude:.4f}",
            "hourly": ",".join([*_INSTANTS, _GUST, *_RADIATION]),
            "minutely_15": ",".join(_RADIATION),
            "timezone": "GMT",
            "timeformat": "iso8601",
            "wind_speed_unit": "ms",
            **days,
        }
        answer = self._http.get(f"{base}/v1/forecast", params, MIN_AGE, now)
        return Forecast(self.name, parse(answer.body, place), pd.Timestamp(answer.received_at))


def parse(body: str, place: Place) -> pd.DataFrame:
    """Rows of the 15-minute grid (frames.WEATHER_FORECAST from valid_time to cloud_cover), not yet judged.

    Raises RejectedForecastError where the answer is not as documented.
    """
    name = OpenMeteo.name
    document = wire.parse_object(name, body)
    offset = wire.member(name, document, "utc_offset_seconds")
    if offset != 0:
        raise RejectedForecastError(name, "wrong_time_zone", f"utc_offset_seconds is {offset}, not 0")
    hourly = _block(document, "hourly", pd.Timedelta(hours=1))
    starts = grid.quarters(pd.DatetimeIndex(hourly.index))
    sun = sun_at_middle(place, starts)
    rows = pd.DataFrame({column: grid.mean_of_instants(hourly[wanted], starts) for wanted, column in _INSTANTS.items()})
    rows["wind_gust"] = grid.of_hour_ending(hourly[_GUST], starts)
    radiation = _radiation(document, hourly, starts, sun)
    rows = with_components(rows.join(radiation), sun)
    return rows.assign(interval_minutes=15).reset_index()


def _radiation(
    document: dict[str, object], hourly: pd.DataFrame, starts: pd.DatetimeIndex, sun: pd.DataFrame
) -> pd.DataFrame:
    """ghi, dni, dhi by quarter. From hourly means dni is left missing: it follows from the other two."""
    by_hour = pd.DataFrame({new: grid.of_hour_ending(hourly[old], starts) for old, new in _RADIATION.items()})
    spread = pd.DataFrame({column: grid.spread_hour(by_hour[column], sun) for column in ("ghi", "dhi")})
    spread["dni"] = by_hour["dni"].where(spread["dhi"].isna())
    if not document.get("minutely_15"):
        return spread
    block = _block(document, "minutely_15", pd.Timedelta(minutes=15))
    quarterly = pd.DataFrame({new: grid.of_quarter_ending(block[old], starts) for old, new in _RADIATION.items()})
    use = grid.use_quarters(quarterly, by_hour)
    return quarterly.where(use, spread)


def _block(document: dict[str, object], block: str, step: pd.Timedelta) -> pd.DataFrame:
    """Every variable of a block on its stamps; a variable that the answer does not have is missing throughout."""
    name = OpenMeteo.name
    data = wire.member(name, document, block)
    stamps = wire.utc_stamps(name, wire.member(name, data, "time"), _STAMP)
    if len(stamps) < 2 or not (stamps[1:] - stamps[:-1] == step).all() or stamps[0] != stamps[0].floor(step):
        raise RejectedForecastError(name, "wrong_schema", f"{block}: stamps every {step} were expected")
    present = [variable for variable in _UNITS if variable in data]
    units = wire.member(name, document, f"{block}_units")
    wire.require_units(name, units, {"time": "iso8601"} | {variable: _UNITS[variable] for variable in present})
    series = {variable: wire.numbers(name, variable, data[variable], stamps) for variable in present}
    return pd.DataFrame(series, index=stamps).reindex(columns=list(_UNITS))
