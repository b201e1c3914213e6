"""The forecast API in the shape of Open-Meteo's `/v1/forecast`, for future and for past dates.

Belongs here: its parameters, units, stamps and errors. Radiation and gusts are about the interval before the stamp.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
from starlette.datastructures import QueryParams

from esus_pipeline.simulator.forecast import QUARTER_S, RUN_S, Forecaster, latest_run
from esus_pipeline.simulator.noise import DAY, HOUR, Ints
from esus_pipeline.simulator.weather import Weather

_MEANS = ("ghi", "dni", "dhi", "direct")
_DECIMALS = {"cloud_cover": 0, "wind_direction": 0, "relative_humidity": 0, "is_day": 0, "wind": 2}
VARIABLES: dict[str, tuple[str, str]] = {
    "temperature_2m": ("temp_air", "°C"),
    "relative_humidity_2m": ("relative_humidity", "%"),
    "cloud_cover": ("cloud_cover", "%"),
    "wind_speed_10m": ("wind_speed", "wind"),
    "wind_direction_10m": ("wind_direction", "°"),
    "wind_gusts_10m": ("wind_gust", "wind"),
    "shortwave_radiation": ("ghi", "W/m²"),
    "direct_normal_irradiance": ("dni", "W/m²"),
    "diffuse_radiation": ("dhi", "W/m²"),
    "direct_radiation": ("direct", "W/m²"),
    "precipitation": ("precipitation", "mm"),
    "is_day": ("is_day", ""),
}
"""Name -> column of the forecaster and unit; `wind` stands for the unit that was asked for."""

_WIND_UNITS = {"kmh": ("km/h", 3.6), "ms": ("m/s", 1.0), "mph": ("mp/h", 2.2369), "kn": ("kn", 1.9438)}
_LAST_DAY = 16


class QueryError(ValueError):
    """A request that Open-Meteo would refuse with 400; the message is its reason."""


@dataclass(frozen=True)
class Query:
    """A parsed request; stamps in seconds since 1970."""

    latitude: float
    longitude: float
    hourly: list[str]
    quarterly: list[str]
    hours: Ints
    quarters: Ints
    models: list[str]
    wind_unit: str
    unix: bool


def parse(query: QueryParams, now: datetime) -> Query:
    """The request; QueryError with the reason where it is not one."""
    first, last = _dates(query, now)
    wind_unit = query.get("wind_speed_unit", "kmh")
    if wind_unit not in _WIND_UNITS:
        raise QueryError(f"Cannot initialize WindspeedUnit from invalid String value {wind_unit}.")
    if query.get("timezone", "GMT") not in ("GMT", "UTC", "Etc/UTC"):
        raise QueryError("Invalid timezone: this server answers in GMT")
    time_format = query.get("timeformat", "iso8601")
    if time_format not in ("iso8601", "unixtime"):
        raise QueryError(f"Cannot initialize Timeformat from invalid String value {time_format}.")
    return Query(
        latitude=_number(query, "latitude", 90),
        longitude=_number(query, "longitude", 180),
        hourly=_variables(query, "hourly"),
        quarterly=_variables(query, "minutely_15"),
        hours=_stamps(query, now, "hour", "hours", HOUR, first, last),
        quarters=_stamps(query, now, "minutely_15", "minutely_15", QUARTER_S, first, last),
        models=_names(query, "models"),
        wind_unit=wind_unit,
        unix=time_format == "unixtime",
    )


def answer(query: Query, weather: Weather, now: datetime) -> dict[str, object]:
    """The response of the newest run known at `now`; past hours come from the first hours of each past run."""
    body: dict[str, object] = {
        "latitude": round(query.latitude, 2),
        "longitude": round(query.longitude, 2),
        "generationtime_ms": 0.2,
        "utc_offset_seconds": 0,
        "timezone": "GMT",
        "timezone_abbreviation": "GMT",
        "elevation": weather.altitude,
    }
    newest = latest_run(now.timestamp())
    sections = (("hourly", query.hourly, query.hours), ("minutely_15", query.quarterly, query.quarters))
    for section, names, stamps in sections:
        if not names:
            continue
        shown = (
            stamps.tolist() if query.unix else [str(t) for t in stamps.astype("datetime64[s]").astype("datetime64[m]")]
        )
        units, values = {"time": "unixtime" if query.unix else "iso8601"}, {"time": shown}
        for model in query.models or [""]:
            for name in names:
                key = f"{name}_{model}" if len(query.models) > 1 else name
                units[key], values[key] = _column(name, model, query.wind_unit, stamps, section, weather, newest)
        body |= {f"{section}_units": units, section: values}
    return body


def _column(
    name: str, model: str, wind_unit: str, stamps: Ints, section: str, weather: Weather, newest: int
) -> tuple[str, list[float | None]]:
    plain, _, ago = name.partition("_previous_day")
    column, unit = VARIABLES[plain]
    runs = np.minimum(newest, stamps // RUN_S * RUN_S)
    if ago:
        runs = np.minimum(newest, (stamps - int(ago) * DAY) // RUN_S * RUN_S)
    horizon = (60 if model.startswith("dmi") else 168) * HOUR
    values = _values(Forecaster(weather, f"open-meteo/{model}"), column, stamps, runs, hourly=section == "hourly")
    text, factor = _WIND_UNITS[wind_unit] if unit == "wind" else (unit, 1.0)
    decimals = _DECIMALS.get(unit, _DECIMALS.get(column, 1))
    missing = (stamps - runs > horizon) | np.isnan(values)
    rounded = np.round(values * factor, decimals)
    return text, [None if gone else value for value, gone in zip(rounded.tolist(), missing.tolist(), strict=True)]


def _values(forecaster: Forecaster, column: str, stamps: Ints, runs: Ints, *, hourly: bool) -> np.ndarray:
    """One column at the stamps; for hours, the mean or maximum of the four quarters before."""
    if column == "precipitation":
        return np.zeros(len(stamps))
    if not hourly:
        return _derive(forecaster.quarter_hours(stamps, runs), column).to_numpy()
    if column not in (*_MEANS, "wind_gust"):
        return forecaster.quarter_hours(stamps, runs)[column].to_numpy()
    back = QUARTER_S * np.arange(3, -1, -1)
    table = forecaster.quarter_hours((stamps[:, None] - back).ravel(), np.repeat(runs, 4))
    quarters = _derive(table, column).to_numpy().reshape(-1, 4)
    return quarters.max(axis=1) if column == "wind_gust" else quarters.mean(axis=1)


def _derive(table: pd.DataFrame, column: str) -> pd.Series:
    return table["ghi"] - table["dhi"] if column == "direct" else table[column]


def _names(query: QueryParams, key: str) -> list[str]:
    return [name for text in query.getlist(key) for name in text.split(",") if name]


def _variables(query: QueryParams, key: str) -> list[str]:
    names = _names(query, key)
    for name in names:
        plain, _, ago = name.partition("_previous_day")
        if plain not in VARIABLES or (ago and ago not in "1234567"):
            raise QueryError(
                f"Data corrupted at path ''. Cannot initialize ForecastVariable from invalid String value {name}."
            )
    return names


def _number(query: QueryParams, key: str, limit: float) -> float:
    text = query.get(key)
    if text is None:
        raise QueryError("Parameter 'latitude' and 'longitude' must have the same number of elements")
    try:
        value = float(text)
    except ValueError as error:
        raise QueryError(f"Value of type 'Float' required for key '{key}'.") from error
    if not -limit <= value <= limit:
        raise QueryError(f"{key.capitalize()} must be in range of -{limit} to {limit}°. Given: {text}.")
    return value


def _count(query: QueryParams, key: str, default: int, most: int) -> int:
    text = query.get(key)
    if text is None:
        return default
    if not text.isdigit() or int(text) > most:
        raise QueryError(f"{key.replace('_', ' ').capitalize()} is invalid. Allowed range 0 to {most}. Given {text}.")
    return int(text)


def _dates(query: QueryParams, now: datetime) -> tuple[date, date]:
    """First and last day, both included."""
    today = now.astimezone(UTC).date()
    if "start_date" not in query and "end_date" not in query:
        first = today - timedelta(days=_count(query, "past_days", 0, 92))
        return first, today + timedelta(days=_count(query, "forecast_days", 7, _LAST_DAY) - 1)
    try:
        first, last = (date.fromisoformat(query.get(key, "")) for key in ("start_date", "end_date"))
    except ValueError as error:
        raise QueryError("Invalid date format. Make sure to use 'YYYY-MM-DD'") from error
    if first > last:
        raise QueryError("End-date must be larger or equals than start-date")
    if last > today + timedelta(days=_LAST_DAY):
        raise QueryError(
            f"Parameter 'end_date' is out of allowed range from 1940-01-01 to {today + timedelta(days=_LAST_DAY)}"
        )
    return first, last


def _stamps(query: QueryParams, now: datetime, one: str, many: str, step: int, first: date, last: date) -> Ints:
    """Stamps of a section: `start_<one>`/`end_<one>`, `past_<many>`/`forecast_<many>`, or whole days."""
    if f"start_{one}" in query or f"end_{one}" in query:
        try:
            ends = [datetime.fromisoformat(query.get(f"{side}_{one}", "")) for side in ("start", "end")]
        except ValueError as error:
            raise QueryError(f"Invalid time format in 'start_{one}' or 'end_{one}'") from error
        begin, end = (int(moment.replace(tzinfo=UTC).timestamp()) // step * step for moment in ends)
    elif f"forecast_{many}" in query or f"past_{many}" in query:
        current = int(now.timestamp()) // step * step
        begin = current - step * _count(query, f"past_{many}", 0, 10_000)
        end = current + step * (_count(query, f"forecast_{many}", 24, 2_000) - 1)
    else:
        begin, end = (int(datetime(d.year, d.month, d.day, tzinfo=UTC).timestamp()) for d in (first, last))
        end += DAY - step
    return np.arange(begin, end + 1, step, dtype=np.int64)
