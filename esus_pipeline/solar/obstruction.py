"""What stands between sky and pane: the skyline before a facade and a slab over the window.

Belongs here: the share of a pane that a direction of the sky reaches. Does not belong here: how bright that direction
is (see sky). Ground-reflected light is taken as unobstructed.
"""

from functools import lru_cache

import numpy as np

from esus_pipeline.site.model import Overhang
from esus_pipeline.solar.sky import Floats

Horizon = tuple[tuple[float, float], ...]

_GRID = 2.0
"""Degrees between the directions that stand for the sky."""


def sunlit_share(
    horizon: Horizon, overhang: Overhang | None, pane_azimuth: float, azimuth: Floats, elevation: Floats
) -> Floats:
    """Share 0..1 of a pane that light from those directions (degrees) reaches.

    Zero below the skyline. The slab is taken as level and much wider than the pane, which stands upright: its shadow
    falls depth * tan(profile angle) below it.
    """
    clear = elevation > _skyline(horizon, azimuth)
    if overhang is None:
        return clear.astype(float)
    facing = np.clip(np.cos(np.radians(azimuth - pane_azimuth)), 1e-6, None)
    shadow = overhang.depth * np.tan(np.radians(np.clip(elevation, 0, 89.99))) / facing
    shaded = np.clip((shadow - overhang.gap) / overhang.window_height, 0, 1)
    return clear * (1 - shaded)


def _skyline(horizon: Horizon, azimuth: Floats) -> Floats:
    """Elevation of the skyline, degrees, straight lines between its corners; level where there are none."""
    if not horizon:
        return np.zeros_like(azimuth)
    corners, heights = zip(*horizon, strict=True)
    return np.interp(azimuth, corners, heights, period=360)


@lru_cache(maxsize=256)
def sky_share(horizon: Horizon, overhang: Overhang | None, pane_azimuth: float, tilt: float) -> float:
    """Share 0..1 of an evenly bright sky's light that still reaches the pane past skyline and slab."""
    azimuth, elevation = np.meshgrid(np.arange(_GRID / 2, 360, _GRID), np.arange(_GRID / 2, 90, _GRID))
    high, turned, slope = np.radians(elevation), np.radians(azimuth - pane_azimuth), np.radians(tilt)
    incidence = np.sin(high) * np.cos(slope) + np.cos(high) * np.sin(slope) * np.cos(turned)
    weight = np.clip(incidence, 0, None) * np.cos(high)
    return float((weight * sunlit_share(horizon, overhang, pane_azimuth, azimuth, elevation)).sum() / weight.sum())
