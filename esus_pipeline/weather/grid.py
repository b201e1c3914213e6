"""Bringing a source's series onto the 15-minute grid: interval means, stamped with the interval's start.

Belongs here: what a stamp of a source means and how an hour becomes four quarters. Does not belong here: wire formats
(see open_meteo, met_norway) and judging the result (see validate).
"""

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.weather.sun import clear_sky

HOUR = pd.Timedelta(hours=1)

AGREEMENT = 0.1
"""Four quarters may differ from their hour's mean by this share ..."""
AGREEMENT_FLOOR = 15.0
"""... or by this many W/m2; a greater difference means that the quarters are not of the same forecast."""


def quarters(instants: pd.DatetimeIndex) -> pd.DatetimeIndex:
    """Starts of all 15-minute intervals that lie between the first and the last of the `instants`."""
    first, last = instants[0].ceil(STEP), instants[-1].floor(STEP)
    return pd.date_range(first, last, freq=STEP, unit="us", name="valid_time", inclusive="left")


def mean_of_instants(values: pd.Series, starts: pd.DatetimeIndex) -> pd.Series:
    """Interval means of a quantity given at instants and changing linearly between them.

    Missing where the nearest values are more than an hour apart.
    """
    return pd.Series((_at(values, starts) + _at(values, starts + STEP)) / 2, index=starts)


def _at(values: pd.Series, instants: pd.DatetimeIndex) -> np.ndarray:
    known = values.dropna()
    if known.empty:
        return np.full(len(instants), np.nan)
    x, at = (pd.DatetimeIndex(index).as_unit("us").asi8 for index in (known.index, instants))
    before = np.searchsorted(x, at, side="right") - 1
    after = np.searchsorted(x, at, side="left")
    inside = (before >= 0) & (after < len(x))
    gap = x[after.clip(max=len(x) - 1)] - x[before.clip(min=0)]
    usable = inside & (gap <= HOUR // pd.Timedelta(microseconds=1))
    return np.where(usable, np.interp(at, x, known.to_numpy(float)), np.nan)


def of_hour_ending(values: pd.Series, starts: pd.DatetimeIndex) -> pd.Series:
    """The value of the hour that each interval lies in, where stamps name the END of the hour."""
    return values.reindex(starts.floor("h") + HOUR).set_axis(starts)


def of_quarter_ending(values: pd.Series, starts: pd.DatetimeIndex) -> pd.Series:
    """The value of each interval, where stamps name the END of the quarter-hour."""
    return values.reindex(starts + STEP).set_axis(starts)


def spread_hour(hourly: pd.Series, sun: pd.DataFrame) -> pd.Series:
    """Quarter means from hourly means (`hourly` holds its hour's mean at each quarter), keeping each hour's mean.

    Within an hour the clear-sky index is taken as constant: quarters share the hour's energy as a clear sky would, by
    the sun at the middle of each. Where the sun is down at all four middles they share alike. The mean is kept for
    whole hours; the quarters of an hour cut by the grid's edge keep the shares that they have in the grid.
    """
    clear = clear_sky(sun)
    hour_mean = clear.groupby(pd.DatetimeIndex(sun.index).floor("h")).transform("mean")
    return hourly * (clear / hour_mean.where(hour_mean > 0)).fillna(1.0)


def use_quarters(quarterly: pd.DataFrame, hourly: pd.DataFrame) -> pd.Series:
    """Where the quarter values may be used: those of an hour whose four `ghi` agree with its hourly mean.

    Both frames are on the same starts; `hourly` holds its hour's mean at each quarter. Where there is no hourly mean,
    a quarter is used as it is; where only some quarters of an hour are there, the hourly mean is the better witness.
    """
    ghi, mean = quarterly["ghi"], hourly["ghi"]
    by_hour = ghi.groupby(pd.DatetimeIndex(ghi.index).floor("h"))
    difference = (by_hour.transform("mean") - mean).abs()
    agrees = difference <= np.maximum(AGREEMENT_FLOOR, AGREEMENT * mean)
    return ghi.notna() & (mean.isna() | (agrees & (by_hour.transform("count") == 4)))
