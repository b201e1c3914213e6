"""From what is known to the problem of each shade group: hourly means, bands, limits and prices of the next 48 hours.

Belongs here: turning quarters of an hour into hours, and facts of the site into limits. Does not belong here: reading
frames (see control.inputs) and solving (see solve).
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.inputs import (
    OUTLOOK,
    PAST,
    Array,
    Horizon,
    Mask,
    PlanInputs,
    RoomState,
    read_horizon,
)
from esus_pipeline.control.measured import TEMPERATURE_RANGE
from esus_pipeline.control.model.kalman import DECAY
from esus_pipeline.control.model.room_model import AIR_HEAT, FRESH_AIR, SUPPLY_AIR, RoomModel
from esus_pipeline.control.optimiser.problem import HOUR, GroupProblem, Held, Prices, ProblemError
from esus_pipeline.control.room_response import PRESENCE
from esus_pipeline.control.safety import DWELL, OLDEST_FORECAST, held_state, wind_block
from esus_pipeline.control.setpoints import Setpoints, make_setpoints
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

QUARTERS = 4
"""Steps of 15 minutes in an hour."""
LEAST_HOURS = 12
"""A shorter outlook is not planned on."""
COLD = 6.0
"""degC, mean outdoors, below which the rooms around are heated, so that they use what a sunny one passes on."""
HARVEST = 0.4
"""Of a kWh of sun that a room lets in while it is COLD: the heat that it spares the rooms around, and its own later."""
SUN_ON_PEOPLE = 120.0
"""W/m2 on the facade from which a shade may be lowered on people: for the sun, never for a bright sky."""
LIGHT = 30.0
"""The same with nobody there, whom it could take the view from."""
LIKELY = 0.5
"""Chance of somebody from which people are expected outside working hours, too."""
FADE = DECAY / HOUR
"""Hours in which an unexplained disturbance fades to 1/e: what the filter that estimates it believes."""
PRICE_VALID = pd.Timedelta(minutes=45)
"""A price holds for the quarters of its hour, or until the next one."""
UNPUBLISHED = (0, 1, 2)
"""An hour without a price costs what it cost so many days before, and else the site's tariff."""
GREATEST_DISTURBANCE = 5000.0
"""W; more is a fault of the estimate."""
DEAREST = 100.0
"""Per kWh, either way; more is no price."""


@dataclass(frozen=True)
class Group:
    """Rooms (indices into the site's) that move together, those of them that can be planned, and their problem."""

    members: list[int]
    planned: list[int]
    problem: GroupProblem


@dataclass(frozen=True)
class Unplanned:
    """Rooms that cannot be planned, and why in a person's words."""

    members: list[int]
    why: str


def outlook(inputs: PlanInputs, groups: list[list[int]]) -> list[Group | Unplanned]:
    """The problem of every group of rooms; a group of rooms without shades is planned for its setpoints alone."""
    horizon = read_horizon(inputs, OUTLOOK)
    whole = _Whole(inputs, horizon, make_setpoints(horizon), _blocked(horizon))
    return [whole.group(members) for members in groups]


def _blocked(horizon: Horizon) -> Mask:
    """(N,) as `wind_block`, of hourly means: no forecast knows in which quarter of an hour a gust comes."""
    return wind_block(replace(horizon, wind=np.repeat(hourly(horizon.wind), QUARTERS)))


@dataclass(frozen=True)
class _Whole:
    """What all groups share."""

    inputs: PlanInputs
    horizon: Horizon
    setpoints: Setpoints
    blocked: Mask

    def group(self, members: list[int]) -> Group | Unplanned:
        horizon, site = self.horizon, self.horizon.site
        age = horizon.forecast_age
        if age is None:
            return Unplanned(members, "there is no weather forecast")
        if age > OLDEST_FORECAST:
            return Unplanned(members, f"the weather forecast is {age / timedelta(hours=1):.1f} h old")
        planned = [room for room in members if not np.isnan(horizon.temperature[room])]
        if not planned:
            return Unplanned(members, "no room of the group has a fresh temperature")
        hours = min(self._known_hours(planned), OUTLOOK // QUARTERS)
        if hours < LEAST_HOURS:
            return Unplanned(members, f"forecast and sun are known for {hours} h only")
        models = [self.inputs.models.get(site.room_ids[room]) or prior(site, room) for room in planned]
        try:
            problem = self._problem(members, planned, models, hours)
            problem.check()
        except ProblemError as error:
            return Unplanned(members, str(error))
        return Group(members, planned, problem)

    def _known_hours(self, planned: list[int]) -> int:
        horizon = self.horizon
        rows = horizon.gain_open[planned] + horizon.gain_shaded[planned] + horizon.irradiance[planned, PAST:]
        known = np.isfinite(rows.sum(axis=0) + horizon.outdoor) & horizon.wind_forecast
        return int(np.logical_and.accumulate(known).sum()) // QUARTERS

    def _problem(self, members: list[int], planned: list[int], models: list[RoomModel], hours: int) -> GroupProblem:
        horizon, site = self.horizon, self.horizon.site
        names = [site.room_ids[room] for room in planned]
        states = [_believable(self.inputs.states.get(name)) for name in names]
        air = horizon.temperature[planned]
        mass = np.array([state.mass if state else own for state, own in zip(states, air, strict=True)])
        excess = np.array([state.disturbance if state else 0.0 for state in states])
        occupied = self.setpoints.occupied
        people = expected_people(self.inputs, horizon, self.setpoints, planned)[:, : hours * QUARTERS]
        working = hourly(occupied[: hours * QUARTERS].astype(float)) > 0
        outdoor = hourly(horizon.outdoor[: hours * QUARTERS])
        high = _at_end(self.setpoints.cooling, hours, np.minimum)
        supply_air = np.maximum(outdoor, SUPPLY_AIR)
        facade = np.fmax.reduce(horizon.irradiance[members, PAST:])[: hours * QUARTERS]
        blocked = np.logical_or.reduce(self.blocked[: hours * QUARTERS].reshape(hours, QUARTERS), axis=1)
        held, expected = self._held(members), hourly(people)
        attended = working | (somebody(expected) > LIKELY)
        attended[0] |= horizon.measured.somebody_in(members)
        lit = hourly(facade > light_limit(np.repeat(attended, QUARTERS))) > 0
        may_close = lit | ~attended
        may_close[0] |= held.closed and not working[0]
        dazzling = hourly(facade) > (site.control.glare_above or np.inf)
        has_shade = any(window.shade for room in members for window in site.rooms[room].windows)
        return GroupProblem(
            models=models,
            air=air,
            mass=mass,
            outdoor=outdoor,
            gain_open=hourly(horizon.gain_open[planned][:, : hours * QUARTERS]),
            gain_shaded=hourly(horizon.gain_shaded[planned][:, : hours * QUARTERS]),
            people=expected,
            disturbance=np.outer(excess, np.exp(-(np.arange(hours) + 0.5) / FADE)),
            low=_at_end(self.setpoints.least, hours, np.maximum),
            high=high,
            viewed=attended & ~dazzling,
            dazzled=np.where(dazzling & has_shade & ~blocked, somebody(expected), 0.0),
            may_close=may_close & has_shade,
            blocked=blocked,
            day=horizon.day[: hours * QUARTERS : QUARTERS],
            heating_limit=np.array([[site.rooms[room].heating_power] * hours for room in planned]),
            cooling_limit=np.stack([cooling_limit(site, room, high, supply_air, working) for room in planned]),
            supply_air=supply_air,
            prices=self._prices.first(hours),
            held=held,
            margin=np.stack([backoff(model, hours, site.control.margin) for model in models]),
            dwell=DWELL // QUARTERS,
            time_limit=site.control.time_limit,
        )

    @cached_property
    def _prices(self) -> Prices:
        control, tariffs = self.horizon.site.control, self.horizon.site.tariffs
        electricity = np.full(OUTLOOK, np.nan)
        known = self.inputs.prices
        times = pd.date_range(self.horizon.as_of, periods=OUTLOOK, freq=STEP)
        for days in UNPUBLISHED:
            if known is None or not len(known):
                break
            told = known.reindex(times - timedelta(days=days), method="ffill", tolerance=PRICE_VALID).to_numpy(float)
            usable = np.isnan(electricity) & (np.abs(told) < DEAREST)
            electricity[usable] = told[usable]
        electricity = np.where(np.isnan(electricity), tariffs.electricity, electricity)
        return Prices(
            heat=np.full(OUTLOOK // QUARTERS, tariffs.heat),
            cooling=hourly(electricity) / tariffs.cooling_cop,
            comfort=control.comfort_price,
            view=control.view_price,
            sun=HARVEST * tariffs.heat if np.nanmean(self.horizon.outdoor) < COLD else 0.0,
            move=control.move_price,
        )

    def _held(self, members: list[int]) -> Held:
        held = held_state(self.horizon, members)
        wait = -(-(DWELL - held.steps_since_move) // QUARTERS)
        return Held(held.closed, DWELL // QUARTERS - wait, held.moves_today)


def somebody(people: Array) -> Array:
    """(H,) how likely anybody is in any of the rooms, of which (R, H) persons are expected (Poisson)."""
    return np.asarray(-np.expm1(-people.sum(axis=0)))


def light_limit(attended: Mask) -> Array:
    """(N,) W/m2 on the facade above which a shade may be lowered, by whether there are people."""
    return np.where(attended, SUN_ON_PEOPLE, LIGHT)


def expected_people(inputs: PlanInputs, horizon: Horizon, setpoints: Setpoints, rooms: list[int]) -> Array:
    """(rooms, N) expected persons: the forecast's, else the calendar's."""
    site = horizon.site
    present = np.array([PRESENCE * site.rooms[room].occupants for room in rooms])
    people = np.outer(present, setpoints.occupied)
    if inputs.people is None or not len(inputs.people):
        return people
    told = inputs.people.reindex(pd.date_range(horizon.as_of, periods=horizon.steps, freq=STEP))
    for row, room in enumerate(rooms):
        if site.room_ids[room] in told.columns:
            own = told[site.room_ids[room]].to_numpy(dtype=float)
            good = np.isfinite(own) & (own >= 0) & (own <= 10 * max(1.0, site.rooms[room].occupants))
            people[row] = np.where(good, own, people[row])
    return people


def _believable(state: RoomState | None) -> RoomState | None:
    """The state unless it is no room's; the optimiser then takes the walls to be as warm as the air."""
    if state is None or not (TEMPERATURE_RANGE[0] < state.mass < TEMPERATURE_RANGE[1]):
        return None
    return state if abs(state.disturbance) < GREATEST_DISTURBANCE else None


def prior(site: Site, room: int) -> RoomModel:
    """What is assumed of a room before anything is learned."""
    return RoomModel.from_site(site, site.room_ids[room])


def backoff(model: RoomModel, hours: int, greatest: float) -> Array:
    """(H,) K to keep below the upper limit: the model's error so many hours ahead, as its last lesson measured it.

    `greatest` where no error has been measured; never more than that.
    """
    measured = sorted(model.rmse.items())
    if not measured:
        return np.full(hours, greatest)
    ahead, error = np.array(measured).T
    return np.minimum(np.interp(np.arange(1, hours + 1), ahead, error), greatest)


def cooling_limit(site: Site, room: int, high: Array, supply_air: Array, working: Mask) -> Array:
    """(H,) W: the room's own cooling, or what more supply air than people need can carry in working hours."""
    facts = site.rooms[room]
    if facts.cooling_power is not None:
        return np.full(len(high), facts.cooling_power)
    spare = max(0.0, facts.ventilation_flow - FRESH_AIR * PRESENCE * facts.occupants)
    return np.where(working, AIR_HEAT * spare * np.maximum(high - supply_air, 0.0), 0.0)


def hourly(quarters: npt.NDArray[np.float64]) -> Array:
    """Means of four quarters along the last axis."""
    return np.asarray(quarters.reshape(*quarters.shape[:-1], -1, QUARTERS).mean(axis=-1))


def _at_end(quarters: Array, hours: int, stricter: np.ufunc) -> Array:
    """(H,) the limit at the end of each hour: the stricter one of the quarters before and after it."""
    before = quarters[QUARTERS - 1 : hours * QUARTERS : QUARTERS]
    after = np.append(quarters[QUARTERS::QUARTERS], quarters[-1])[:hours]
    return np.asarray(stricter(before, after))
