"""Models as they may be: the learned one, and others drawn from what the readings leave open.

A room's draws stay the same from day to day (their quantiles do, when the model is learned anew), so that an error of a
parameter adds up over days as it would in truth. Parameters are drawn one by one, which is wider than what was learned:
the readings often know a ratio of two parameters better than either.
"""

import zlib
from collections.abc import Mapping

import numpy as np

from esus_pipeline.control.model.identification import SPREAD
from esus_pipeline.control.model.room_model import PARAMETERS, RoomModel

DRAWS = 40
_TAIL = 1.6449
"""Standard deviations from the middle of a normal distribution to its 5th or 95th percentile."""
_FARTHEST = 2.0
"""Standard deviations; draws beyond are drawn in to this."""


def drawn_models(model: RoomModel, ranges: Mapping[str, tuple[float, float]] | None) -> list[RoomModel]:
    """The model itself, then DRAWS others; without ranges as uncertain as a room that has learned nothing."""
    rng = np.random.default_rng(zlib.crc32(model.room.encode()))
    normal = np.clip(rng.standard_normal((DRAWS, len(PARAMETERS))), -_FARTHEST, _FARTHEST)
    spread = [_spread(model, name, (ranges or {}).get(name)) for name in PARAMETERS]
    return [model, *(_drawn(model, dict(zip(PARAMETERS, row * spread, strict=True))) for row in normal)]


def _drawn(model: RoomModel, off: Mapping[str, float]) -> RoomModel:
    values = {name: getattr(model, name) * np.exp(by) for name, by in off.items()}
    values["constant"] = model.constant + off["constant"]
    values["f_air"] = min(values["f_air"], 0.95)
    return model.with_parameters({name: float(value) for name, value in values.items()})


def _spread(model: RoomModel, name: str, told: tuple[float, float] | None) -> float:
    """Standard deviation of the parameter's logarithm, of `constant` in W."""
    if name == "constant":
        return SPREAD[name] * max(model.area, 1.0) if told is None else (told[1] - told[0]) / (2 * _TAIL)
    if told is None or not 0 < told[0] <= told[1]:
        return SPREAD[name]
    return float(np.log(told[1] / told[0]) / (2 * _TAIL))
