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


def microseconds(times: pd.Series | pd.DatetimeIndex) -> Ints:
    """Microseconds since 1970 UTC of time stamps with a zone."""
    index = pd.DatetimeIndex(times).as_unit("us")
    return np.asarray(index.asi8)


def length(duration: timedelta) -> int:
    """Microseconds of a duration."""
    return duration // timedelta(microseconds=1)
