"""The forecast API in the shape of MET Norway's Locationforecast 2.0.

Belongs here: its terms of use (identify yourself, four decimals, ask again only when expired) and its JSON.
"""

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import numpy as np

from esus_pipeline.simulator.forecast import KNOWN_AFTER_S, Forecaster, latest_run
from esus_pipeline.simulator.noise import HOUR
from esus_pipeline.simulator.weather import Weather

_CONTACT = re.compile(r"[^@\s]+@[^@\s]+|https?://\S+|\b[\w-]+\.(dk|no|com|org|net|eu)\b")
_EXPIRES = timedelta(minutes=31)
_HOURLY = 60
_SIX_HOURLY = 216


def identifies(user_agent: str) -> bool:
    """Whether the User-Agent carries a contact: an address, a web page or a domain."""
    return bool(_CONTACT.search(user_agent))


def too_precise(text: str) -> bool:
    """Whether a coordinate has more than four decimals."""
    return len(text.partition(".")[2]) > 4


def issued(now: datetime) -> datetime:
    """When the newest forecast became known."""
    return datetime.fromtimestamp(latest_run(now.timestamp()) + KNOWN_AFTER_S, UTC)


def headers(now: datetime) -> dict[str, str]:
    """Last-Modified and Expires of an answer given at `now`."""
    return {
        "Last-Modified": format_datetime(issued(now), usegmt=True),
        "Expires": format_datetime((now + _EXPIRES).astimezone(UTC).replace(microsecond=0), usegmt=True),
    }


def answer(latitude: float, longitude: float, weather: Weather, now: datetime) -> dict[str, object]:
    """Hourly from the current hour to 60 h, then every 6 h to 9 days; no radiation and no gust beyond 60 h."""
    run = latest_run(now.timestamp())
    start = int(now.timestamp()) // HOUR * HOUR
    hours = np.r_[0:_HOURLY, _HOURLY:_SIX_HOURLY:6]
    valid = start + HOUR * hours
    table = Forecaster(weather, "met-norway").quarter_hours(valid, np.full(len(valid), run))
    series = []
    for lead, moment, row in zip(hours.tolist(), valid.tolist(), table.to_dict("records"), strict=True):
        details = {
            "air_temperature": round(row["temp_air"], 1),
            "cloud_area_fraction": round(row["cloud_cover"], 1),
            "relative_humidity": round(row["relative_humidity"], 1),
            "wind_from_direction": round(row["wind_direction"], 1),
            "wind_speed": round(row["wind_speed"], 1),
        }
        if lead < _HOURLY:
            details["wind_speed_of_gust"] = round(row["wind_gust"], 1)
        series.append({"time": _iso(moment), "data": {"instant": {"details": details}}})
    units = {
        "air_temperature": "celsius", "cloud_area_fraction": "%", "relative_humidity": "%",
        "wind_from_direction": "degrees", "wind_speed": "m/s", "wind_speed_of_gust": "m/s",
    }  # fmt: skip
    return {
        "type": "Feature",
        "geometry": {"type": "Point", "coordinates": [longitude, latitude, weather.altitude]},
        "properties": {"meta": {"updated_at": _iso(run + KNOWN_AFTER_S), "units": units}, "timeseries": series},
    }


def _iso(time_s: float) -> str:
    return datetime.fromtimestamp(time_s, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
