"""Instants and durations as int64 microseconds, the form in which numpy computes with them.

Belongs here: the conversion. Does not belong here: anything that knows what the instants are of.
"""

from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]

NEVER = np.int64(-(2**62))
"""Stands in place of an instant that there was none of; older than any."""


def microseconds(times: pd.Series | pd.DatetimeIndex) -> Ints:
    """Microseconds since 1970 UTC of time stamps with a zone; NEVER for a missing one."""
    index = pd.DatetimeIndex(times).as_unit("us")
    return np.where(index.isna(), NEVER, np.asarray(index.asi8))


def instants(microseconds_: Ints) -> pd.DatetimeIndex:
    """The way back; missing for NEVER."""
    stamps = pd.DatetimeIndex(microseconds_.clip(0).astype("datetime64[us]")).tz_localize("UTC")
    return pd.DatetimeIndex(stamps.where(microseconds_ != NEVER))


def length(duration: timedelta) -> int:
    """Microseconds of a duration."""
    return duration // timedelta(microseconds=1)
