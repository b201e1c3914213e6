"""Inputs of a plan for a chosen day: pvlib's clear sky, dimmed by a factor, on the site's own facades."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
from pvlib.irradiance import get_total_irradiance
from pvlib.location import Location

from esus_pipeline.control import PlanInputs
from esus_pipeline.frames import BUILDING, SOLAR_GAIN, STEP, WEATHER_FORECAST
from esus_pipeline.site import Site


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def times(as_of: datetime, past: int = 0, steps: int = 200) -> pd.DatetimeIndex:
    return pd.date_range(as_of - past * STEP, periods=past + steps, freq=STEP).as_unit("us")


def weather(
    site: Site, as_of: datetime, sky: float = 1.0, mean: float = 18.0, wind: float = 3.0, steps: int = 200
) -> pd.DataFrame:
    index = times(as_of, past=24, steps=steps)
    sun = _clear_sky(site, index)
    hour = np.asarray(index.tz_convert(site.zone).hour + index.minute / 60)
    gust = np.full(len(index), wind * 1.5)
    return WEATHER_FORECAST.conform(
        pd.DataFrame(
            {
                "issued_at": as_of - timedelta(hours=1),
                "valid_time": index,
                "interval_minutes": 15,
                "ghi": sun["ghi"].to_numpy() * sky,
                "dni": sun["dni"].to_numpy() * sky,
                "dhi": sun["dhi"].to_numpy(),
                "temp_air": mean - 4 * np.cos((hour - 3) * np.pi / 12),
                "wind_speed": wind,
                "wind_gust": gust,
                "cloud_cover": 100 * (1 - sky),
                "source": "open-meteo",
                "kind": "forecast",
            }
        )
    )


def gains(site: Site, as_of: datetime, sky: float = 1.0, steps: int = 200) -> pd.DataFrame:
    index = times(as_of, past=24, steps=steps)
    sun = _clear_sky(site, index)
    position = Location(site.place.latitude, site.place.longitude).get_solarposition(index + STEP / 2)
    rows = []
    for room in site.rooms:
        poa = gain_open = gain_shaded = np.zeros(len(index))
        glass = sum(window.area for window in room.windows)
        for window in room.windows:
            facade = site.facades[window.facade]
            plane = get_total_irradiance(
                facade.tilt,
                facade.azimuth,
                position["apparent_zenith"].to_numpy(),
                position["azimuth"].to_numpy(),
                sun["dni"].to_numpy() * sky,
                sun["ghi"].to_numpy() * (0.3 + 0.7 * sky),
                sun["dhi"].to_numpy(),
                albedo=facade.albedo,
            )["poa_global"]
            plane = np.nan_to_num(np.asarray(plane)) * (0.35 + 0.65 * sky)
            net = window.area * (1 - window.frame_share) * plane
            poa = poa + plane * window.area / glass
            gain_open = gain_open + net * window.g_value
            gain_shaded = gain_shaded + net * (site.shades[window.shade].g_tot if window.shade else window.g_value)
        rows.append(
            pd.DataFrame(
                {
                    "issued_at": as_of,
                    "room": room.id,
                    "valid_time": index,
                    "poa_global": poa,
                    "gain_open": gain_open,
                    "gain_shaded": gain_shaded,
                }
            )
        )
    return SOLAR_GAIN.conform(pd.concat(rows))


def rooms(site: Site, temperature: float = 22.0, wind: float = 2.0) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "room": [*site.room_ids, BUILDING],
            "air_temperature": [temperature] * len(site.rooms) + [np.nan],
            site.wind.quantity: [np.nan] * len(site.rooms) + [wind],
        }
    )


def inputs(
    site: Site, as_of: datetime, sky: float = 1.0, mean: float = 18.0, wind: float = 3.0, temperature: float = 22.0
) -> PlanInputs:
    return PlanInputs(
        site=site,
        as_of=as_of,
        forecast=weather(site, as_of, sky, mean, wind),
        forecast_age=timedelta(hours=1),
        gains=gains(site, as_of, sky),
        rooms=rooms(site, temperature),
        wind_age=timedelta(minutes=10),
    )


def _clear_sky(site: Site, index: pd.DatetimeIndex) -> pd.DataFrame:
    place = Location(site.place.latitude, site.place.longitude, altitude=site.place.altitude)
    return place.get_clearsky(index + STEP / 2)
