"""Random numbers that depend on (seed, name, index) alone, so that any instant can be asked in any order.

Belongs here: draws by index and smooth noise in time. Does not belong here: what the noise stands for.
"""

from zlib import crc32

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import ndtri

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

MINUTE = 60
HOUR = 3600
DAY = 86400
WEEK = 7 * DAY
MONDAY = 4 * DAY
"""1970-01-05, the first Monday, in seconds since 1970; weeks of the twin begin at Monday 00:00 UTC."""


def uniform(seed: int, name: str, index: npt.ArrayLike) -> Floats:
    """Uniform draws in (0, 1), shape of `index` (integers)."""
    base = np.random.SeedSequence([seed, crc32(name.encode())]).generate_state(1, np.uint64)[0]
    key = np.asarray(index, dtype=np.int64).astype(np.uint64)
    mixed = pd.util.hash_array(np.atleast_1d(key).ravel() ^ base, categorize=False)
    # A second round: indices that differ in few bits must not give draws that look alike.
    mixed = pd.util.hash_array(mixed + base, categorize=False)
    return ((mixed >> np.uint64(11)).astype(np.float64) + 0.5).reshape(key.shape) / 2.0**53


def normal(seed: int, name: str, index: npt.ArrayLike) -> Floats:
    """Standard normal draws, shape of `index`."""
    return np.asarray(ndtri(uniform(seed, name, index)), dtype=np.float64)


def smooth(seed: int, name: str, time_s: npt.ArrayLike, period_s: float) -> Floats:
    """Noise in time, mean 0, standard deviation 1, that forgets itself over about `period_s` seconds.

    Independent normal draws at the knots `k * period_s`; between two knots they are mixed with weights whose squares
    add up to one, so that the variance is the same everywhere.
    """
    position = np.asarray(time_s, dtype=np.float64) / period_s + float(uniform(seed, name + "/phase", 0))
    knot = np.floor(position).astype(np.int64)
    angle = (position - knot) * (np.pi / 2)
    if knot.size == 0:
        return np.zeros(0)
    first, last = int(knot.min()), int(knot.max())
    if last - first > 4 * knot.size:
        left, right = normal(seed, name, knot), normal(seed, name, knot + 1)
    else:
        draws = normal(seed, name, np.arange(first, last + 2))
        left, right = draws[knot - first], draws[knot - first + 1]
    return np.asarray(left * np.cos(angle) + right * np.sin(angle), dtype=np.float64)
