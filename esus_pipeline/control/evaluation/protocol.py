"""The border between a plant (a simulated or recorded building) and a controller.

The loop is `observation = plant.reset(start, seed)`, then again and again `observation = plant.step(commands, 15)` with
`commands = controller.decide(observation)`. All times are UTC. NaN says that a value is not measured; absence is never
zero. Belongs here: the data that cross the border. Does not belong here: any plant, controller or score.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, runtime_checkable

import pandas as pd

from esus_pipeline.site import Site

NAN = float("nan")
GLARE_ABOVE = 300.0
"""W/m2 on the facade from which somebody at the window is dazzled through an open shade."""


class PlantError(RuntimeError):
    """A plant that cannot do what is asked of it, or does not keep to the protocol; the message says where."""


@dataclass(frozen=True)
class RoomReading:
    """What the building's sensors say of one room; only `air_temperature` must be known.

    Temperature, CO2, shade and window hold at the observation's time, the rest is the mean over the step before.
    """

    air_temperature: float
    """degC."""
    co2: float = NAN
    """ppm."""
    presence: float = NAN
    """Share 0..1 of the step in which a motion sensor saw somebody."""
    shade_position: float = NAN
    """0 open (retracted) .. 1 closed (lowered), as it stands, whoever moved it."""
    facade_irradiance: float = NAN
    """W/m2 of sun and sky on the outside of the room's facade."""
    radiator_valve: float = NAN
    """0..1."""
    supply_water: float = NAN
    """degC of the radiator's water."""
    cooling_valve: float = NAN
    """0..1 of the room's cooling_power."""
    damper: float = NAN
    """0..1, supply air as a share of the room's greatest flow."""
    window_open: float = NAN
    """0..1."""


@dataclass(frozen=True)
class RoomTruth:
    """What happened in one room in the step that ended; for the score alone, no controller sees it."""

    heat_kwh: float = 0.0
    """Heat delivered by the heating system."""
    cooling_kwh: float = 0.0
    """Heat removed by mechanical cooling; its electricity is this over the site's cooling_cop."""
    lighting_kwh: float = 0.0
    """Electricity of the lights."""
    air_temperature: float = NAN
    """degC, mean over the step; NaN takes the reading at its end."""
    people: float = NAN
    """People present, mean over the step; NaN falls back on the room's presence."""


@dataclass(frozen=True)
class Observation:
    """What is known at `time`. `rooms` and `truth` have the site's room ids as keys."""

    time: datetime
    """UTC, with a zone: the end of the step that was made and the start of the next one."""
    rooms: Mapping[str, RoomReading]
    outdoor_temperature: float = NAN
    """degC."""
    wind_speed: float = NAN
    """m/s at the building's own sensor, mean over the step."""
    forecast: pd.DataFrame | None = None
    """Rows of frames.WEATHER_FORECAST of one issue as known at `time`, from some hours before to 48 h after it."""
    prices: pd.Series | None = None
    """Electricity per kWh in the site's currency by start of the hour (UTC) as known at `time`. A plant may leave it
    out: the loop then adds a synthetic day-ahead price."""
    people: pd.DataFrame | None = None
    """People expected, by start of the 15 minutes (UTC), a column per room. Only perfect foresight fills it."""
    truth: Mapping[str, RoomTruth] = field(default_factory=dict)
    """Of the step that ended; empty after a reset."""


@dataclass(frozen=True)
class Command:
    """What one room is told; it holds until the next command."""

    shade_position: float
    """0 open .. 1 closed; ignored by a room without a shade."""
    heating_setpoint: float
    """degC, heat below this air temperature."""
    cooling_setpoint: float
    """degC, cool above this air temperature."""


class Plant(Protocol):
    """A building to close the loop on. Its class is made without arguments, or with `epw` (a path) where it takes one.

    Everything random follows from `seed`; the same start, seed and commands give the same observations.
    """

    site: Site
    """What the operator believes of the building: rooms, windows, comfort, tariffs, wind limits."""

    def reset(self, start: datetime, seed: int) -> Observation:
        """Go to `start` (UTC, on a quarter of an hour) in a plausible state with open shades; what is known then."""
        ...

    def step(self, commands: Mapping[str, Command], minutes: int) -> Observation:
        """Live through `minutes` (15) under `commands` (every room of the site); what is known at the end."""
        ...

    def observe(self) -> Observation:
        """What is known now: what the last `reset` or `step` returned."""
        ...


@runtime_checkable
class Foresight(Protocol):
    """A plant that can tell its future, for controllers with perfect foresight. Optional."""

    def future(self, hours: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Weather (as `Observation.forecast`) and people (as `Observation.people`) as they will be."""
        ...


@runtime_checkable
class Bounded(Protocol):
    """A plant that can compute the least cost that any controller could have on it. Optional."""

    def bound(self, steps: int, prices: pd.Series, shaded_share: float, moves_per_day: float) -> Mapping[str, float]:
        """Lower bound over the coming `steps` of 15 minutes, from the state that the plant is in.

        `prices` are electricity per kWh by start of the hour (UTC); `shaded_share` is the greatest share of working
        hours with the shade down, 1 for no limit; `moves_per_day` how often a room's shade may move, on average.
        Keys: `cost` (currency), `heat_kwh`, `cooling_kwh`; and `weighed`, the least of Score.weighed at the site's
        prices, every view at the plain one and without limits on shaded hours and moves, where the plant can tell it.
        """
        ...


class Controller(Protocol):
    """What decides. One object lives through one run and may remember what it saw."""

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """A command for every room of the site, every 15 minutes. `observation.truth` is empty."""
        ...


@runtime_checkable
class Learner(Protocol):
    """A controller that wants to know what was seen before it took over. Optional."""

    def learn(self, past: Sequence[Observation]) -> None:
        """Observations of every step until now, the newest last, of the plant under another controller."""
        ...
