"""On above one limit, off below a lower one, unchanged between them."""

import numpy as np

from esus_pipeline.control.inputs import Array, Mask


def hysteresis(values: Array, on_above: float, off_below: float) -> Mask:
    """Whether it is on at each step of the last axis. It starts off; a missing value changes nothing."""
    with np.errstate(invalid="ignore"):
        on, off = values > on_above, values < off_below
    steps = np.arange(values.shape[-1])
    newest = np.maximum.accumulate(np.where(on | off, steps, -1), axis=-1)
    return np.take_along_axis(on, np.maximum(newest, 0), axis=-1) & (newest >= 0)
