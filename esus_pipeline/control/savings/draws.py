"""Models as they may be: the learned one, and others drawn from what the readings leave open.

Draws stay the same from day to day (their quantiles do, when a model is learned anew), so that an error of a parameter
adds up over days as it would in truth. Parameters are drawn one by one, as wide as they were learned. On top of that
all heat flows and capacities are scaled together: temperatures alone tell their ratios, and only sun and people, whose
heat is known from elsewhere, tell watts. The scale is one for all rooms, because what hides it in one hides it in all.
"""

import zlib
from collections.abc import Mapping

import numpy as np

from esus_pipeline.control.model.identification import SPREAD
from esus_pipeline.control.model.room_model import PARAMETERS, RoomModel

DRAWS = 40
SCALE = 0.3
"""Standard deviation of the logarithm of that scale. In 13 simulated rooms whose parameters were 20 % off, learned from
12 to 35 days, the computed cost of those days was off by 0.27 (root mean square of the logarithm)."""
SCALED = ("c_air", "c_mass", "h_am", "h_ao", "h_mo", "h_mb", "k_heat")
_TAIL = 1.6449
"""Standard deviations from the middle of a normal distribution to its 5th or 95th percentile."""
_FARTHEST = 2.0
"""Standard deviations; draws beyond are drawn in to this."""


def drawn_models(model: RoomModel, ranges: Mapping[str, tuple[float, float]] | None) -> list[RoomModel]:
    """The model itself, then DRAWS others; without ranges as uncertain as a room that has learned nothing."""
    rng = np.random.default_rng(zlib.crc32(model.room.encode()))
    normal = np.clip(rng.standard_normal((DRAWS, len(PARAMETERS))), -_FARTHEST, _FARTHEST)
    spread = [_spread(model, name, (ranges or {}).get(name)) for name in PARAMETERS]
    scales = SCALE * np.clip(np.random.default_rng(0).standard_normal(DRAWS), -_FARTHEST, _FARTHEST)
    off = [dict(zip(PARAMETERS, row * spread, strict=True)) for row in normal]
    return [model, *(_drawn(model, by, scale) for by, scale in zip(off, scales, strict=True))]


def _drawn(model: RoomModel, off: Mapping[str, float], scale: float) -> RoomModel:
    values = {name: getattr(model, name) * np.exp(by + scale * (name in SCALED)) for name, by in off.items()}
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
