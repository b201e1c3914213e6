"""Closing the loop: a controller runs a plant for some days, and everything that happened is written down.

Belongs here: the loop and its record. Does not belong here: what it was worth (see score).
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.prices import day_ahead, known_at
from esus_pipeline.control.evaluation.protocol import (
    Command,
    Controller,
    Foresight,
    Learner,
    Observation,
    Plant,
    PlantError,
    RoomTruth,
)
from esus_pipeline.control.evaluation.rules import Tuned, WindGuard
from esus_pipeline.control.optimiser.outlook import PRICE_VALID
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

MINUTES = round(STEP / timedelta(minutes=1))
STEPS_PER_DAY = timedelta(days=1) // STEP
_FORESIGHT_HOURS = 48


@dataclass(frozen=True)
class Run:
    """One controller on one plant from `start` on, for one seed."""

    site: Site
    controller: str
    start: datetime
    seed: int
    rows: pd.DataFrame
    """One row per room and step: room, time (its start), working, people, air (degC, mean over the step), co2,
    irradiance, wind, outdoor, shade (as it stood in the step), told_shade, told_heating, told_cooling, heat_kwh,
    cooling_kwh, lighting_kwh, price (of electricity per kWh, as told when the step began)."""
    faults: list[str]
    """Commands that nobody may give, in words."""
    seconds: np.ndarray
    """Time of each decision."""

    @property
    def prices(self) -> pd.Series:
        """Electricity per kWh by start of the hour (UTC), as the hour's first step cost."""
        return self.rows.groupby(self.rows["time"].dt.floor("h"))["price"].first()


def close_loop(
    plant: Plant,
    controller: Controller,
    name: str,
    start: datetime,
    days: float,
    seed: int,
    foresight: bool = False,
    teach: float = 0.0,
) -> Run:
    """Run `controller` on `plant`, which the tuned rule has run for the `teach` days before.

    A Learner is told what was seen in them. With `foresight` forecasts are the truth, where the plant can tell it.

    Raises:
        PlantError: the plant breaks the protocol.
    """
    site, steps = plant.site, round(days * STEPS_PER_DAY)
    prices = day_ahead(site, seed, start - timedelta(days=1), round(days * 24) + 96)
    past = live_before(plant, start, seed, teach)
    observation = past.pop()
    if past and isinstance(controller, Learner):
        controller.learn(past)
    calendar = _working(site, start, steps)
    guard = WindGuard(site)
    rows, faults, seconds = [], [], np.empty(steps)
    for step in range(steps):
        seen = _seen(plant, observation, prices, foresight)
        begin = time.perf_counter()
        commands = controller.decide(seen)
        seconds[step] = time.perf_counter() - begin
        faults += command_faults(site, seen, commands, guard.blocked(seen.time, seen.wind_speed))
        told = {room: commands[room] for room in site.room_ids}
        after = _checked(site, plant.step(told, MINUTES), observation.time + STEP)
        price = _price_told(site, seen)
        rows += [_row(site, room, observation, after, told[room], calendar[step], price) for room in site.room_ids]
        observation = after
    return Run(site, name, start, seed, pd.DataFrame(rows), faults, seconds)


def live_before(plant: Plant, start: datetime, seed: int, days: float) -> list[Observation]:
    """The plant at `start` after some days under the tuned rule, and what was seen in them, `start` included."""
    begin = start - round(days * STEPS_PER_DAY) * STEP
    rule = Tuned(plant.site)
    past = [_checked(plant.site, plant.reset(begin, seed), begin)]
    while past[-1].time < start:
        past[-1] = replace(past[-1], truth={})
        past.append(_checked(plant.site, plant.step(rule.decide(past[-1]), MINUTES), past[-1].time + STEP))
    return past


def _seen(plant: Plant, observation: Observation, prices: pd.Series, foresight: bool) -> Observation:
    """What the controller may know: no truth, published prices, and the future only with foresight."""
    seen = replace(observation, truth={})
    if seen.prices is None:
        seen = replace(seen, prices=known_at(plant.site, prices, seen.time))
    if foresight:
        if not isinstance(plant, Foresight):
            raise PlantError(f"{type(plant).__name__} cannot tell its future: it has no method `future`")
        weather, people = plant.future(_FORESIGHT_HOURS)
        seen = replace(seen, forecast=weather, people=people, prices=seen.prices)
    return seen


def _price_told(site: Site, seen: Observation) -> float:
    """Electricity per kWh of the step that begins, as the controller is told; the tariff where its hour is not told."""
    if seen.prices is None or not len(seen.prices):
        return site.tariffs.electricity
    now = pd.DatetimeIndex([seen.time])
    told = float(seen.prices.reindex(now, method="ffill", tolerance=PRICE_VALID).iloc[0])
    return told if np.isfinite(told) else site.tariffs.electricity


def _checked(site: Site, observation: Observation, due: datetime) -> Observation:
    if observation.time != due:
        raise PlantError(f"the plant is at {observation.time}, but it should be at {due}")
    missing = [room for room in site.room_ids if room not in observation.rooms]
    if missing:
        raise PlantError(f"the plant says nothing of the rooms {missing} of its site")
    return observation


def command_faults(site: Site, seen: Observation, commands: Mapping[str, Command], blocked: bool) -> list[str]:
    """What is wrong with commands that were given on an observation: safety, range, and a band upside down.

    `blocked` says whether the wind of now or of a while ago holds the shades up.
    """
    faults = []
    for room in site.room_ids:
        where = f"{seen.time:%Y-%m-%d %H:%M} {room}"
        command = commands.get(room)
        if command is None:
            raise PlantError(f"{where}: the controller gave no command")
        values = (command.shade_position, command.heating_setpoint, command.cooling_setpoint)
        if not np.isfinite(values).all():
            faults.append(f"{where}: a command is not a number")
            continue
        if not 0 <= command.shade_position <= 1:
            faults.append(f"{where}: shade position {command.shade_position:g} is not within 0 and 1")
        unknown = np.isnan(seen.wind_speed)
        if blocked and not unknown and command.shade_position > 0:
            faults.append(f"{where}: shade down at {seen.wind_speed:.1f} m/s of wind, or too soon after a strong one")
        if unknown and command.shade_position > seen.rooms[room].shade_position:
            faults.append(f"{where}: shade lowered without a wind reading")
        if command.heating_setpoint > command.cooling_setpoint:
            faults.append(f"{where}: heats to {command.heating_setpoint:g} and cools to {command.cooling_setpoint:g}")
        if not (5 <= command.heating_setpoint <= 35 and 10 <= command.cooling_setpoint <= 40):
            faults.append(f"{where}: a setpoint is outside of what a room may have")
    return faults


def _row(
    site: Site, room: str, before: Observation, after: Observation, told: Command, working: bool, price: float
) -> dict[str, object]:
    reading, truth = after.rooms[room], after.truth.get(room, RoomTruth())
    air = truth.air_temperature
    people = truth.people if np.isfinite(truth.people) else reading.presence
    stood = reading.shade_position
    return {
        "room": room,
        "time": before.time,
        "working": working,
        "people": people if np.isfinite(people) else float(working),
        "air": air if np.isfinite(air) else reading.air_temperature,
        "co2": reading.co2,
        "irradiance": reading.facade_irradiance,
        "wind": after.wind_speed,
        "outdoor": after.outdoor_temperature,
        "shade": stood if np.isfinite(stood) else told.shade_position,
        "told_shade": told.shade_position,
        "told_heating": told.heating_setpoint,
        "told_cooling": told.cooling_setpoint,
        "heat_kwh": truth.heat_kwh,
        "cooling_kwh": truth.cooling_kwh,
        "lighting_kwh": truth.lighting_kwh,
        "price": price,
        "has_shade": any(window.shade for window in site.room(room).windows),
    }


def _working(site: Site, start: datetime, steps: int) -> np.ndarray:
    """(N,) whether the site's calendar expects people in each step."""
    local = pd.date_range(start, periods=steps, freq=STEP).tz_convert(site.zone)
    clock = np.array([moment.time() for moment in local])
    hours = (clock >= site.occupancy.start) & (clock < site.occupancy.end)
    return hours & np.array([site.is_working_day(moment.date()) for moment in local])
