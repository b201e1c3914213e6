"""Living a stretch of a room's past again, under other commands: same weather, same people, same unexplained heat.

What the model cannot explain of the measured temperature is taken for a heat that would have been there under any
command, so that the measured past is what the replay of the measured inputs gives. Heating and cooling are what ideal
thermostats need, within the power that radiator and cooling have. S strategies, K models, N steps of 15 minutes.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from esus_pipeline.control.inputs import Array, Mask
from esus_pipeline.control.model.history import STEP_SECONDS, History
from esus_pipeline.control.model.room_model import FRESH_AIR, RoomModel, discretise, pushed
from esus_pipeline.control.model.simulate import mass_temperature, motion
from esus_pipeline.control.optimiser.outlook import cooling_limit
from esus_pipeline.control.savings.strategy import Strategy
from esus_pipeline.site import Site

SMOOTH = 8
"""Steps that the unexplained heat is averaged over (2 hours): a tenth of a kelvin of noise in a reading is 80 W."""
WARM = 1.0
"""K below the cooling setpoint from which supply air beyond what people need counts as cooling."""


@dataclass(frozen=True)
class Lived:
    """What strategies would have led to; each (S, K, N)."""

    heat: Array
    """W to the room by its radiators."""
    cooling: Array
    """W of heat removed by mechanical cooling or by more supply air than people need."""
    air: Array
    """degC at the end of each step."""


@dataclass(frozen=True)
class Stretch:
    """What is the same whatever is done; of a History whose inputs are known."""

    history: History
    first: int
    """Step that the replay begins with; those before it tell how warm the walls are then."""
    working: Mask
    """(N,) whether people are expected, of the steps from `first` on."""
    flow: Array
    """Of the whole history: `hygienic_flow`."""


def replay(site: Site, models: Sequence[RoomModel], stretch: Stretch, strategies: Sequence[Strategy]) -> Lived:
    """Live the steps from `stretch.first` on under each strategy with each model, from the state that was measured."""
    past = stretch.history.part(stretch.first, len(stretch.history))
    states = np.empty((len(models), 2))
    keep, heat_push, rest, sun_push, power = [], [], [], [], []
    for row, model in enumerate(models):
        unexplained, mass = unexplained_heat(model, stretch.history)
        states[row] = past.air[0], mass[stretch.first]
        fresh = model.supply_air_conductance(stretch.flow[stretch.first :])
        own, source = discretise(model, STEP_SECONDS, fresh)
        heat = fresh * past.supply_air + unexplained[stretch.first :]
        keep.append(own)
        heat_push.append(source[:, :, 1])
        rest.append(pushed(source, past.outdoor, heat, 0.0, past.people))
        sun_push.append([_sun(model, past, strategy)[:, None] * source[:, :, 2] for strategy in strategies])
        power.append(model.radiator_conductance(np.ones(1))[0])
    push = np.stack(rest)[None] + np.moveaxis(np.array(sun_push), 1, 0)
    room = site.room_ids.index(past.room)
    chill = np.stack([cooling_limit(site, room, each.cooling, past.supply_air, stretch.working) for each in strategies])
    return _run(states, np.stack(keep), np.stack(heat_push), push, np.array(power), past.water, chill, strategies)


def _run(
    states: Array,
    keep: Array,
    heat_push: Array,
    push: Array,
    power: Array,
    water: Array,
    chill: Array,
    strategies: Sequence[Strategy],
) -> Lived:
    """The steps one by one; keep (K, N, 2, 2), heat_push (K, N, 2), push (S, K, N, 2), power (K,), chill (S, N)."""
    air, mass = (np.repeat(states[None, :, part], len(strategies), axis=0) for part in (0, 1))
    low, high = (np.stack([getattr(each, name) for each in strategies]) for name in ("heating", "cooling"))
    heat, cooling, path = (np.empty(push.shape[:3]) for _ in range(3))
    for step in range(push.shape[2]):
        a, b, other = keep[:, step], heat_push[:, step], push[:, :, step]
        free = a[:, 0, 0] * air + a[:, 0, 1] * mass + other[..., 0]
        mass = a[:, 1, 0] * air + a[:, 1, 1] * mass + other[..., 1]
        most = power * np.maximum(water[step] - air, 0.0)
        warmed = np.clip((low[:, step, None] - free) / b[:, 0], 0.0, most)
        removed = np.clip((free - high[:, step, None]) / b[:, 0], 0.0, chill[:, step, None])
        air = free + b[:, 0] * (warmed - removed)
        mass = mass + b[:, 1] * (warmed - removed)
        heat[..., step], cooling[..., step], path[..., step] = warmed, removed, air
    return Lived(heat, cooling, path)


def unexplained_heat(model: RoomModel, history: History) -> tuple[Array, Array]:
    """(N,) W to the air that the model has no input for, smoothed, and (N,) degC of the mass."""
    moved, mass, air = motion(model, history), mass_temperature(model, history), history.air
    expected = moved.keep[:, 0, 0] * air + moved.keep[:, 0, 1] * mass + moved.push[:, 0]
    surprise = np.append(air[1:] - expected[:-1], np.nan) / moved.heat_push[:, 0]
    smooth = pd.Series(surprise).rolling(SMOOTH, center=True, min_periods=1).mean()
    return smooth.interpolate(limit_direction="both").fillna(0.0).to_numpy(dtype=float), mass


def hygienic_flow(history: History, greatest: float, cooling_setpoint: Array) -> Array:
    """(N,) supply air, as a share of the greatest, that would have run whatever the room was told.

    What is more than people need counts as cooling while the room is warmer than WARM below its cooling setpoint.

    Args:
        history: the room's past.
        greatest: m3/h of supply air at an open damper.
        cooling_setpoint: (N,) degC.
    """
    if not greatest:
        return np.zeros(len(history))
    needed = np.minimum(FRESH_AIR * history.people / greatest, 1.0)
    warm = history.air > cooling_setpoint - WARM
    return np.where(warm, np.minimum(history.damper, needed), history.damper)


def measured_energy(model: RoomModel, history: History, flow: Array) -> tuple[Array, Array]:
    """(N,) W of heat by the radiators and (N,) W of heat removed, as the measured valves and dampers tell."""
    heat = model.radiator_conductance(history.valve) * np.maximum(history.water - history.air, 0.0)
    extra = model.supply_air_conductance(history.damper - flow)
    return heat, history.cooling + extra * np.maximum(history.air - history.supply_air, 0.0)


def _sun(model: RoomModel, history: History, strategy: Strategy) -> Array:
    shade = np.where(history.gain_open > 0, strategy.shade, 0.0)
    return np.asarray(model.sun(history.gain_open, history.gain_shaded, shade))
