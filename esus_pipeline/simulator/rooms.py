"""The rooms themselves: heat, air, CO2, radiators, dampers and windows, step by step.

Belongs here: the balance equations and the local controllers. Does not belong here: anything that can be known before
the room's own state is (weather, people, shading, setpoints). Weeks that are asked for together are simulated
together: an array of one step has the shape (weeks, rooms).

Six thermal states a room: air, furniture, surface and core of the heavy floors, inner and outer layer of the wall,
and a seventh for the radiator. Air, radiator and CO2 are stepped implicitly, the rest explicitly. Only + - * / and
comparisons stand in the loop, which are exact to the last bit in any array shape, so that a week comes out the same
alone or with others.
"""

from dataclasses import dataclass, fields

import numpy as np

from esus_pipeline.simulator.building import Building
from esus_pipeline.simulator.noise import MINUTE, Floats

AIR = 1206.0
"""Heat capacity of air, J/(m3 K)."""
OUTDOOR_CO2 = 421.0
PERSON_W = 72.0
PERSON_CO2 = 20.0 / 3600 * 1000
"""CO2 of a person, 20 l/h, as ppm m3/s."""
COARSE = 10
"""Minutes of a step while warming up."""


@dataclass(frozen=True)
class Drivers:
    """Minute series that drive the rooms; (minutes, weeks, rooms), or (minutes, weeks, 1) where rooms share it."""

    outdoor: Floats
    sol_air: Floats
    """Outdoor temperature with the sun on the wall, degC."""
    corridor: Floats
    solar: Floats
    people: Floats
    activity: Floats
    equipment: Floats
    heating: Floats
    cooling: Floats
    supply_water: Floats
    supply_air: Floats
    fan: Floats
    """0 off .. 1 day."""
    window_mood: Floats
    """Air temperature above which someone would open a window, degC."""
    wind_factor: Floats


@dataclass(frozen=True)
class Rooms:
    """What happened, shape (minutes after warming up, weeks, rooms)."""

    air: Floats
    co2: Floats
    valve: Floats
    damper: Floats
    window: Floats
    heat: Floats
    """Taken from the heating water, W."""


@dataclass
class _State:
    """(weeks, rooms), layers before that: `inner` is furniture, floor surface, inner wall, `outer` floor core, wall."""

    air: Floats
    inner: Floats
    outer: Floats
    radiator: Floats
    integral: Floats
    valve: Floats
    damper: Floats
    window: Floats
    co2: Floats


def simulate(building: Building, drivers: Drivers, warm_up: int) -> Rooms:
    """Run every week from the same simple state, in coarse steps through the first `warm_up` minutes."""
    minutes, weeks, rooms = drivers.people.shape
    state = _start(drivers, (weeks, rooms))
    coarse = _Constants(building, COARSE * MINUTE)
    for forcing in _forcing(coarse, drivers, slice(0, warm_up, COARSE)):
        _step(coarse, state, forcing)
    result = {field.name: np.empty((minutes - warm_up, weeks, rooms)) for field in fields(Rooms)}
    air, co2, valve, damper, window, heat = (result[field.name] for field in fields(Rooms))
    fine = _Constants(building, MINUTE)
    for k, forcing in enumerate(_forcing(fine, drivers, slice(warm_up, minutes))):
        heat[k] = _step(fine, state, forcing)
        air[k], co2[k], valve[k] = state.air, state.co2, state.valve
        damper[k], window[k] = state.damper, state.window
    return Rooms(**result)


class _Constants:
    """Numbers of the building as the step needs them: conductances `g` in W/K, `k` = step / capacity in K/J."""

    def __init__(self, b: Building, step_s: float) -> None:
        floors, wall = 2 * b.floor, b.wall_area
        self.left, self.right = b.left, b.right
        self.g_inner = np.stack([5.0 * b.floor, 6.0 * floors, 7.0 * wall])[:, None]
        self.g_middle = np.stack([14.0 * floors, 2.2 * wall])[:, None]
        self.g_outdoor = np.stack([0.0 * floors, 1.15 * wall * b.wall_u])[:, None]
        self.k_inner = step_s / np.stack([18e3 * b.floor, 38e3 * floors, 60e3 * wall])[:, None]
        self.k_outer = step_s / np.stack([130e3 * floors, 140e3 * wall])[:, None]
        self.emitted_share = np.array([0.0, 0.36, 0.09])[:, None, None]
        self.loss, self.g_corridor, self.g_neighbour = b.loss, 0.3 * b.floor, 0.6 * b.floor
        self.air_store = b.volume * AIR * 2.2 / step_s
        self.g_air = self.air_store + self.g_inner.sum(axis=0) + b.loss + self.g_corridor + 2 * self.g_neighbour
        self.ua, self.ua_rise = 0.72 * b.radiator / 30, 0.28 * b.radiator / 900
        self.water_store, self.g_water = 26.0 * b.radiator / step_s, 1.5 * b.radiator / 30
        self.flow, self.window_flow, self.leak = b.air_flow, b.window_flow, 0.06 / 3600 * b.volume
        self.per_volume = step_s / b.volume
        self.integral = 2e-5 * step_s
        self.valve_travel, self.damper_travel = min(1.0, step_s / 180), min(1.0, step_s / 400)


def _forcing(c: _Constants, d: Drivers, steps: slice) -> Floats:
    """All that does not depend on the state, in the order of `_step`; shape (steps, terms, weeks, rooms)."""
    now = Drivers(**{field.name: getattr(d, field.name)[steps] for field in fields(Drivers)})
    gain = now.people * PERSON_W * now.activity + now.equipment
    terms = (
        now.outdoor,
        now.supply_air,
        now.supply_water,
        now.heating,
        now.cooling,
        now.window_mood,
        now.people > 0,
        now.fan > 0,
        c.flow * now.fan,
        c.window_flow * now.wind_factor,
        c.g_corridor * now.corridor + c.loss * now.outdoor + 0.6 * gain + 0.22 * now.solar,
        now.people * now.activity * PERSON_CO2 * c.per_volume,
        0.18 * now.solar,
        0.55 * now.solar + 0.32 * gain,
        0.05 * now.solar + 0.08 * gain,
        np.zeros_like(now.solar),
        c.g_outdoor[1] * now.sol_air,
    )
    return np.stack(np.broadcast_arrays(*terms), axis=1)


def _start(drivers: Drivers, shape: tuple[int, int]) -> _State:
    inside = drivers.corridor[0] + 1.2 + np.zeros(shape)
    outdoor = drivers.outdoor[0] + np.zeros(shape)
    zero = np.zeros(shape)
    return _State(
        air=inside,
        inner=np.stack([inside, inside, inside - 0.5]),
        outer=np.stack([inside, 0.3 * inside + 0.7 * outdoor]),
        radiator=inside,
        integral=zero,
        valve=zero,
        damper=zero,
        window=zero,
        co2=zero + OUTDOOR_CO2 + 60,
    )


def _limit(values: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.minimum(np.maximum(values, low), high))


def _step(c: _Constants, s: _State, forcing: Floats) -> Floats:
    """One step: controllers, radiator, CO2, air, heavy parts. Returns the heat taken from the water, W."""
    outdoor, supply_air, supply_water, heating, cooling, mood, present, running = forcing[:8]
    fan_flow, window_flow, to_air, co2_source = forcing[8:12]
    _control(c, s, heating, cooling, mood, present, running)
    water = s.valve * c.g_water
    emission = c.ua + c.ua_rise * (s.radiator - s.air)
    s.radiator = (c.water_store * s.radiator + water * supply_water + emission * s.air) / (
        c.water_store + water + emission
    )
    emitted = emission * (s.radiator - s.air)
    supplied, aired = fan_flow * s.damper, window_flow * s.window
    share = (supplied + aired + c.leak) * c.per_volume
    s.co2 = (s.co2 + share * OUTDOOR_CO2 + co2_source) / (1.0 + share)
    layers = c.g_inner * s.inner
    into_air = (
        c.air_store * s.air
        + layers[0] + layers[1] + layers[2]
        + c.g_neighbour * (s.air[:, c.left] + s.air[:, c.right])
        + AIR * (supplied * supply_air + aired * outdoor)
        + 0.55 * emitted
        + to_air
    )  # fmt: skip
    s.air = into_air / (c.g_air + AIR * (supplied + aired))
    through = c.g_middle * (s.inner[1:] - s.outer)
    arriving = c.g_inner * s.air - layers + c.emitted_share * emitted + forcing[12:15]
    arriving[1:] -= through
    s.inner = s.inner + c.k_inner * arriving
    s.outer = s.outer + c.k_outer * (through + forcing[15:17] - c.g_outdoor * s.outer)
    return np.maximum(water * (supply_water - s.radiator), 0.0)


def _control(
    c: _Constants, s: _State, heating: Floats, cooling: Floats, mood: Floats, present: Floats, running: Floats
) -> None:
    """Radiator valve (PI, three minutes from end to end), damper by CO2 and temperature, window by people."""
    error = heating - s.air
    s.integral = _limit(s.integral + c.integral * error, 0.0, 0.6)
    closed = 1.0 - s.window
    wanted = _limit(0.9 * error + s.integral, 0.0, 1.0) * closed
    s.valve = s.valve + _limit(wanted - s.valve, -c.valve_travel, c.valve_travel)
    demand = np.maximum((s.co2 - 620.0) / 380.0, (s.air - cooling) / 1.5)
    opening = _limit(demand, 0.12, 1.0) * closed * running
    s.damper = s.damper + _limit(opening - s.damper, -c.damper_travel, c.damper_travel)
    s.window = np.maximum(present * (s.air > mood), s.window * (s.air > mood - 1.8))
