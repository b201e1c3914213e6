"""Judging a forecast: one absurd value and the whole answer is refused, for its neighbours have the same origin.

Belongs here: what weather cannot be. Does not belong here: the wire format (see wire) and how far ahead a plan needs
to see (see obtain).
"""

import numpy as np
import pandas as pd

from esus_pipeline.site.model import Place
from esus_pipeline.weather.source import RejectedForecastError
from esus_pipeline.weather.sun import sun_at_middle

BOUNDS = {
    "temp_air": (-60.0, 60.0),
    "wind_speed": (0.0, 75.0),
    "wind_gust": (0.0, 110.0),
    "cloud_cover": (0.0, 100.0),
    "ghi": (0.0, 1500.0),
    "dni": (0.0, 1500.0),
    "dhi": (0.0, 1000.0),
}
"""Least and greatest sensible value of a 15-minute mean, in the units of frames.WEATHER_FORECAST."""

REQUIRED = ("ghi", "dni", "dhi", "temp_air", "wind_speed")
"""Without one of these there is no plan."""

NIGHT_ZENITH = 96.0
"""Civil twilight is over: no irradiance worth the name."""
NIGHT_IRRADIANCE = 5.0
"""W/m2; an hourly mean may put a little of the dusk into the night."""
CLOUD_EDGE = 1.1
"""Bright cloud edges can lift a 15-minute mean over the extraterrestrial value by about this factor."""
TOLERANCE = 50.0
"""W/m2 over that limit, for an hourly mean spread over the quarters around sunrise."""
CLOSURE = 0.08
"""Share of the energy by which dni cos(zenith) + dhi may miss ghi. Stamps that are wrong by 15 minutes give 0.03 to
0.04 on a clear day at 57 degrees north, by an hour 0.13 to 0.17; swapped columns more."""


def judged(source: str, rows: pd.DataFrame, place: Place) -> pd.DataFrame:
    """The rows up to the last complete one, when nothing in them is absurd; else RejectedForecastError.

    A source may end some variables early: rows after the last complete one are no forecast. A hole before it is.
    """
    complete = rows[list(REQUIRED)].notna().all(axis=1)
    if not complete.any():
        raise RejectedForecastError(source, "missing_values", f"{_emptiest(rows)} has no value")
    length = int(np.flatnonzero(complete)[-1]) + 1
    rows, complete = rows.iloc[:length], complete.iloc[:length]
    if not complete.all():
        hole = rows.loc[~complete].iloc[0]
        names = [name for name in REQUIRED if pd.isna(hole[name])]
        raise RejectedForecastError(source, "missing_values", f"{', '.join(names)} at {hole['valid_time']}")
    for name, (low, high) in BOUNDS.items():
        _refuse(source, "out_of_bounds", rows, name, (rows[name] < low) | (rows[name] > high))
    sun = sun_at_middle(place, pd.DatetimeIndex(rows["valid_time"])).set_axis(rows.index)
    _refuse(source, "sun_at_night", rows, "ghi", (sun["zenith"] > NIGHT_ZENITH) & (rows["ghi"] > NIGHT_IRRADIANCE))
    limit = CLOUD_EDGE * sun["extraterrestrial"] * sun["cos_zenith"] + TOLERANCE
    _refuse(source, "too_much_sun", rows, "ghi", rows["ghi"] > limit)
    error = (rows["dni"] * sun["cos_zenith"] + rows["dhi"] - rows["ghi"]).abs().sum()
    if error > CLOSURE * rows["ghi"].sum() + TOLERANCE:
        raise RejectedForecastError(source, "components_disagree", "dni, dhi and ghi are not of the same sun")
    return rows


def _emptiest(rows: pd.DataFrame) -> str:
    return str(rows[list(REQUIRED)].notna().sum().idxmin())


def _refuse(source: str, reason: str, rows: pd.DataFrame, name: str, wrong: "pd.Series[bool]") -> None:
    if wrong.any():
        first = rows.loc[wrong].iloc[0]
        raise RejectedForecastError(source, reason, f"{name} {first[name]:g} at {first['valid_time']}")
