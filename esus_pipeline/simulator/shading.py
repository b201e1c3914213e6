"""Sun on the facades and the central shading SG01 that answers to it.

Belongs here: facade irradiance, the hysteresis and delays of the shading control, the wind block, what sun and light
pass the windows. Does not belong here: the rooms behind (see rooms). Minute series throughout.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from pvlib import irradiance

from esus_pipeline.simulator.building import FACADES, SHADED_FACADES, Building
from esus_pipeline.simulator.noise import Floats
from esus_pipeline.site import Site

LUX_PER_WATT = 108.0
"""Luminous efficacy of daylight, lm/W."""
_CLOSE_DELAY = 5
_OPEN_DELAY = 20
_TRAVEL_MINUTES = 2


@dataclass(frozen=True)
class Limits:
    """Settings of SG01: facade irradiance in W/m2, wind in m/s."""

    close_above: float
    open_below: float
    block_wind: float
    release_wind: float
    hold_minutes: int


@dataclass(frozen=True)
class Shading:
    """Minute series. `sun` has one column per facade, the rest per shaded facade or none."""

    sun: Floats
    beam: Floats
    """The part of `sun` that comes from the disc itself."""
    cos_incidence: Floats
    down: Floats
    """0 raised .. 1 lowered."""
    motor: Floats
    """1 lower, 0 raise: the command."""
    released: Floats
    """1 while the wind lets the blinds move."""


def limits_of(site: Site) -> Limits:
    """The settings that the building's shading group has."""
    group = next(iter(site.shade_groups.values()))
    wind = site.wind
    return Limits(group.close_above, group.open_below, wind.retract_above, wind.release_below, wind.hold_minutes)


def shade(building: Building, weather: pd.DataFrame, limits: Limits) -> Shading:
    """Sun on every facade and what SG01 does about it, for consecutive minutes of weather."""
    parts = [_facade_sun(building, weather, index) for index in range(len(FACADES))]
    sun, beam, cosine = (np.stack(columns, axis=1) for columns in zip(*parts, strict=True))
    released = _release(weather["wind_speed"].to_numpy(), limits)
    motor = np.stack([_motor(sun[:, FACADES.index(name)], released, limits) for name in SHADED_FACADES], axis=1)
    steps = np.ones(_TRAVEL_MINUTES) / _TRAVEL_MINUTES
    down = np.stack([np.convolve(motor[:, i], steps)[: len(motor)] for i in range(motor.shape[1])], axis=1)
    return Shading(sun, beam, cosine, down, motor, released)


def room_sun(building: Building, shading: Shading) -> tuple[Floats, Floats]:
    """Solar heat (W) and daylight (lux at the desk) of every room, shape (minutes, rooms).

    Transmittance for the beam falls with the angle of incidence as `1 - 0.1 (1/cos - 1)` (ASHRAE, b0 = 0.1).
    """
    column = building.facade
    angle = np.clip(1 - 0.1 * (1 / np.maximum(shading.cos_incidence[:, column], 0.09) - 1), 0, 1)
    beam = shading.beam[:, column]
    arriving = beam * angle + 0.9 * (shading.sun[:, column] - beam)
    names = [FACADES[index] for index in column]
    down = np.stack(
        [shading.down[:, SHADED_FACADES.index(n)] if n in SHADED_FACADES else np.zeros(len(beam)) for n in names],
        axis=1,
    )
    heat = arriving * building.glass * ((1 - down) * building.g_value + down * building.g_shaded)
    open_light = building.light_transmittance * (1 - down) + building.light_shaded * down
    indoors = 0.32 * building.glass / building.floor
    return heat, LUX_PER_WATT * arriving * open_light * indoors


def _facade_sun(building: Building, weather: pd.DataFrame, index: int) -> tuple[Floats, Floats, Floats]:
    azimuth = float(building.facade_azimuth[index])
    parts = irradiance.get_total_irradiance(
        90, azimuth, weather["zenith"], weather["azimuth"], weather["dni"], weather["ghi"], weather["dhi"],
        dni_extra=weather["dni_extra"], albedo=0.17, model="haydavies",
    )  # fmt: skip
    beam = np.nan_to_num(parts["poa_direct"].to_numpy())
    rest = np.nan_to_num(parts["poa_diffuse"].to_numpy())
    skyline = building.horizon[index]
    if skyline:
        around, height = zip(*sorted(skyline), strict=True)
        hidden = 90 - weather["zenith"].to_numpy() < np.interp(weather["azimuth"].to_numpy(), around, height)
        beam = np.where(hidden, 0.0, beam)
    cosine = irradiance.aoi_projection(90, azimuth, weather["zenith"], weather["azimuth"]).to_numpy()
    return beam + rest, beam, np.maximum(cosine, 0)


def _release(wind: Floats, limits: Limits) -> Floats:
    """1 while the blinds are free: blocked at once above the limit, free again after a calm spell."""
    free, calm, result = True, 0, np.empty(len(wind))
    for k, speed in enumerate(wind.tolist()):
        calm = calm + 1 if speed < limits.release_wind else 0
        if speed > limits.block_wind:
            free = False
        elif calm >= limits.hold_minutes:
            free = True
        result[k] = free
    return result


def _motor(sun: Floats, released: Floats, limits: Limits) -> Floats:
    """1 while lowered: down after some minutes above the upper limit, up after more below the lower one."""
    lowered, above, below, result = False, 0, 0, np.empty(len(sun))
    for k, (level, free) in enumerate(zip(sun.tolist(), released.tolist(), strict=True)):
        above = above + 1 if level > limits.close_above else 0
        below = below + 1 if level < limits.open_below else 0
        if not free or below >= _OPEN_DELAY:
            lowered = False
        elif above >= _CLOSE_DELAY:
            lowered = True
        result[k] = lowered
    return result
