"""The weather of a plant as the EPW file that EnergyPlus reads, in UTC. Belongs here: the format."""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.plants.weather import Sky
from esus_pipeline.site.model import Place

_HOURS = 8760
_BLANK = "9999"


def weather_file(place: Place, sky: Sky, begin: datetime, days: int) -> str:
    """A year's file whose hours are true from `begin` (00:00 UTC) for `days`; the rest repeats the first hour.

    Radiation is the mean of the hour that ends at its stamp, the rest holds at the stamp, as EPW has it.
    """
    truth = sky.truth(begin - timedelta(minutes=15), days * 96 + 4)
    means = {
        name: truth[name].to_numpy(dtype=float)[1 : 1 + days * 96].reshape(-1, 4).mean(axis=1)
        for name in ("ghi", "dni", "dhi")
    }
    at = 4 * np.arange(1, days * 24 + 1)
    held = {
        name: (truth[name].to_numpy(dtype=float)[at] + truth[name].to_numpy(dtype=float)[at + 1]) / 2
        for name in ("temp_air", "wind_speed", "cloud_cover")
    }
    hours = pd.date_range(begin, periods=days * 24, freq="h")
    known = {(time.month, time.day, time.hour): place for place, time in enumerate(hours)}
    rows = []
    for hour in range(_HOURS):
        day = datetime(2001, 1, 1) + timedelta(hours=hour)  # noqa: DTZ001  # a calendar, not an instant
        index = known.get((day.month, day.day, day.hour), 0)
        rows.append(_row(day, {name: float(values[index]) for name, values in (means | held).items()}))
    return "\n".join([*_head(place), *rows]) + "\n"


def _head(place: Place) -> list[str]:
    return [
        f"LOCATION,office,-,-,esus,0,{place.latitude},{place.longitude},0.0,{place.altitude}",
        "DESIGN CONDITIONS,0",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
        "COMMENTS 1,",
        "COMMENTS 2,",
        "DATA PERIODS,1,1,Data,Monday,1/1,12/31",
    ]


def _row(day: datetime, now: dict[str, float]) -> str:
    humidity = 75.0
    dew_point = now["temp_air"] - (100 - humidity) / 5
    cover = f"{round(now['cloud_cover'] / 10):d}"
    values = [
        f"{now['temp_air']:.2f}", f"{dew_point:.2f}", f"{humidity:.0f}", "101300", "0", "0", _BLANK,
        f"{now['ghi']:.1f}", f"{now['dni']:.1f}", f"{now['dhi']:.1f}", "0", "0", "0", "0",
        "240", f"{now['wind_speed']:.2f}", cover, cover, "20", "77777", "9", "999999999", "0", "0", "0", "88", "0.2",
        "0", "0",
    ]  # fmt: skip
    return ",".join([str(day.year), str(day.month), str(day.day), str(day.hour + 1), "60", "C9C9C9", *values])
