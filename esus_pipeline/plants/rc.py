"""The linear plant `rc`: rooms that obey the equations of the controllers' model, with other numbers than theirs.

Every parameter of every room is off by `parameter_error` up or down, people come and go as they like, and a heat that
nobody measures wanders through. Thermostats are ideal within the power of radiator and cooling, so the plant is linear
and its least cost with perfect foresight is a linear program (see bound).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.protocol import GLARE_ABOVE, Command, Observation, RoomReading, RoomTruth
from esus_pipeline.control.evaluation.rules import WindGuard
from esus_pipeline.control.groups import moving_groups
from esus_pipeline.control.model.room_model import DESIGN_ROOM, EMITTER, SUPPLY_AIR, SUPPLY_WATER, RoomModel
from esus_pipeline.control.safety import DWELL
from esus_pipeline.plants.bound import Conditions, LinearRooms, Weights, least_cost
from esus_pipeline.plants.weather import PAST_S, STEP_S, Sky
from esus_pipeline.plants.world import World, after, make_world
from esus_pipeline.simulator.noise import HOUR, Floats, normal, smooth, uniform
from esus_pipeline.site import Site, load_site

COOLING_POWER = 40.0
"""W/m2 of floor, greatest mechanical cooling."""
DISTURBANCE = 3.0
"""W/m2 of floor, standard deviation of the heat that nobody measures; it forgets itself over six hours."""
OUTDOOR_CO2, PERSON_CO2 = 420.0, 0.020
"""ppm; m3/h a person."""
SENSOR_NOISE = 0.05
"""K."""
LEAKAGE = 0.2
"""Air changes per hour without the fan, for CO2."""
_WARM_UP_DAYS = 4
_WARM_UP = Command(0.5, 20.0, 25.0)
_CHUNK, _KEPT_CHUNKS = 7 * 96, 16
"""Steps that are prepared together, and how many such weeks are kept for the next controller."""
_OFF = ("c_air", "c_mass", "h_am", "h_ao", "h_mo", "k_open", "k_shaded", "f_air", "g_person", "k_heat", "k_vent")


class RcPlant:
    """Rooms of a site as 2R2C, each with its own truth; see control.evaluation.protocol.Plant."""

    def __init__(self, epw: Path | None = None, site: Site | None = None, parameter_error: float = 0.2) -> None:
        """`epw` takes the weather from a file, `parameter_error` is the share by which every parameter is off."""
        self.site = site if site is not None else _office()
        self._epw, self._error = epw, parameter_error
        self._chunks: dict[tuple[int, datetime], LinearRooms] = {}

    def reset(self, start: datetime, seed: int) -> Observation:
        """See Plant. The state is that of four days with half-lowered shades before."""
        self._seed = seed
        self._sky = Sky.over(self.site.place, seed, self._epw)
        self._models = [_true_model(self.site, room, seed, self._error) for room in self.site.room_ids]
        self._begin = start - timedelta(days=_WARM_UP_DAYS)
        self._step = 0
        rooms = len(self.site.rooms)
        self._state = np.full((rooms, 2), 21.0)
        self._co2 = np.full(rooms, OUTDOOR_CO2 + 60)
        self._shade = np.zeros(rooms)
        warm_up = dict.fromkeys(self.site.room_ids, _WARM_UP)
        for _ in range(_WARM_UP_DAYS * 96):
            self._live(warm_up)
        self._shade[:] = 0.0
        self._now = self._observation({})
        return self._now

    def step(self, commands: Mapping[str, Command], minutes: int) -> Observation:
        """See Plant."""
        if minutes * 60 != STEP_S:
            raise ValueError(f"this plant makes steps of {STEP_S // 60} minutes, not {minutes}")
        truth = self._live(commands)
        self._now = self._observation(truth)
        return self._now

    def observe(self) -> Observation:
        """See Plant."""
        return self._now

    def future(self, hours: int) -> tuple[pd.DataFrame, pd.DataFrame]:
        """See Foresight."""
        now = after(self._begin, self._step)
        past = PAST_S // STEP_S
        world = make_world(self.site, self._sky, self._seed, after(now, -past), past + hours * HOUR // STEP_S)
        weather = world.weather.assign(issued_at=pd.Timestamp(now))
        return weather, pd.DataFrame(world.people.T, index=world.times, columns=list(self.site.room_ids))

    def bound(self, steps: int, prices: pd.Series, shaded_share: float, moves_per_day: float) -> Mapping[str, float]:
        """See Bounded: perfect foresight of everything, shades free between open and closed, every hour's band kept."""
        rooms = self._rooms(after(self._begin, self._step), steps)
        site, world = self.site, rooms.world
        work, idle = site.comfort.occupied, site.comfort.unoccupied
        conditions = Conditions(
            low=np.where(world.working, work.low, idle.low),
            high=np.where(world.working, work.high, idle.high),
            blocked=_blocked(site, world),
            glare=_dazzled(world),
            working=world.working,
            shaded_share=shaded_share,
            moves=moves_per_day * steps * STEP_S / (24 * HOUR),
            dwell=DWELL,
        )
        price = prices.reindex(world.times, method="ffill").to_numpy(dtype=float) / site.tariffs.cooling_cop
        weights = Weights(site.control.comfort_price, site.control.view_price, site.control.move_price)
        return least_cost(rooms, self._state, moving_groups(site), conditions, site.tariffs.heat, price, weights)

    def _rooms(self, start: datetime, steps: int) -> LinearRooms:
        world = make_world(self.site, self._sky, self._seed, start, steps)
        time_s = round(start.timestamp()) + STEP_S * np.arange(steps, dtype=np.int64)
        area = np.array([room.area for room in self.site.rooms])
        wander = [smooth(self._seed, f"rc/disturbance/{room}", time_s, 6 * HOUR) for room in self.site.room_ids]
        supply = np.maximum(world.series("temp_air"), SUPPLY_AIR)
        disturbance = DISTURBANCE * area[:, None] * np.stack(wander)
        around = 20.6 + 0.25 * np.maximum(self._slow_outdoor(start, steps) - 8, 0)
        return LinearRooms.of(self._models, world, disturbance, supply, around, COOLING_POWER * area)

    def _slow_outdoor(self, start: datetime, steps: int) -> Floats:
        """(N,) degC outdoors, mean of the four days before each step, which the rooms around follow."""
        past = _WARM_UP_DAYS * 96
        outdoor = self._sky.truth(after(start, -past), past + steps)["temp_air"]
        return outdoor.rolling(past).mean().to_numpy(dtype=float)[past:]

    def _live(self, commands: Mapping[str, Command]) -> dict[str, RoomTruth]:
        """One step: ideal thermostats within their power; returns what happened."""
        rooms, k = self._here()
        told = [commands[room] for room in self.site.room_ids]
        self._shade = np.clip(np.array([command.shade_position for command in told]), 0, 1)
        free = rooms.free(self._state, self._shade, k)
        per_watt = rooms.per_watt[:, k]
        heating = np.array([command.heating_setpoint for command in told])
        cooling = np.array([command.cooling_setpoint for command in told])
        heat = np.clip((heating - free[:, 0]) / per_watt[:, 0], 0, rooms.heating_power)
        cold = np.clip((free[:, 0] - cooling) / per_watt[:, 0], 0, rooms.cooling_power)
        cold = np.where(heat > 0, 0.0, cold)
        before = self._state[:, 0]
        self._state = free + per_watt * (heat - cold)[:, None]
        self._co2 = self._fresh_co2(rooms.world, k)
        emitted = np.array([model.k_heat for model in self._models]) * (SUPPLY_WATER - self._state[:, 0])
        share = np.clip(heat / emitted, 0, 1)
        valve = EMITTER * share / (1 - share + EMITTER * share)
        self._happened = valve, cold / rooms.cooling_power, k, rooms.world
        self._step += 1
        hours = STEP_S / HOUR / 1000
        return {
            room: RoomTruth(
                heat_kwh=heat[row] * hours,
                cooling_kwh=cold[row] * hours,
                air_temperature=(before[row] + self._state[row, 0]) / 2,
                people=float(rooms.world.people[row, k]),
            )
            for row, room in enumerate(self.site.room_ids)
        }

    def _here(self) -> tuple[LinearRooms, int]:
        key = self._seed, after(self._begin, self._step // _CHUNK * _CHUNK)
        if key not in self._chunks:
            for old in list(self._chunks)[: 1 - _KEPT_CHUNKS]:
                del self._chunks[old]
            self._chunks[key] = self._rooms(key[1], _CHUNK)
        return self._chunks[key], self._step % _CHUNK

    def _fresh_co2(self, world: World, k: int) -> Floats:
        volume = np.array([room.area * room.height for room in self.site.rooms])
        people, fan = world.people[:, k], world.fan[k]
        flow = LEAKAGE * volume + fan * np.array(
            [min(36.0 * n, room.ventilation_flow) for n, room in zip(people, self.site.rooms, strict=True)]
        )
        level = OUTDOOR_CO2 + 1e6 * PERSON_CO2 * people / flow
        return level + (self._co2 - level) * np.exp(-flow / volume * STEP_S / HOUR)

    def _observation(self, truth: Mapping[str, RoomTruth]) -> Observation:
        now = after(self._begin, self._step)
        valve, chill, k, world = self._happened
        noise = SENSOR_NOISE * normal(self._seed, "sensor", self._step * 1000 + np.arange(len(self.site.rooms)))
        readings = {
            room: RoomReading(
                air_temperature=float(self._state[row, 0] + noise[row]),
                co2=float(self._co2[row]),
                presence=float(world.presence[row, k]),
                shade_position=float(self._shade[row]),
                facade_irradiance=float(world.irradiance[row, k]),
                radiator_valve=float(valve[row]),
                supply_water=SUPPLY_WATER,
                cooling_valve=float(chill[row]),
                damper=float(world.fan[k] * min(36.0 * world.people[row, k] / max(flow, 1.0), 1.0)),
                window_open=0.0,
            )
            for row, (room, flow) in enumerate((item.id, item.ventilation_flow) for item in self.site.rooms)
        }
        return Observation(
            time=now,
            rooms=readings,
            outdoor_temperature=float(world.series("temp_air")[k]),
            wind_speed=float(world.series("wind_speed")[k]),
            forecast=self._sky.forecast(now),
            truth=truth,
        )


def _office() -> Site:
    """TMV23 with mechanical cooling, whose plan is carried out and spares people the glare."""
    site = load_site("tmv23")
    rooms = tuple(room.model_copy(update={"cooling_power": COOLING_POWER * room.area}) for room in site.rooms)
    control = site.control.model_copy(update={"mode": "active", "glare_above": GLARE_ABOVE})
    return site.model_copy(update={"rooms": rooms, "control": control})


def _true_model(site: Site, room: str, seed: int, error: float) -> RoomModel:
    """The site's prior with every parameter off by `error`, up or down as the seed has it."""
    prior = RoomModel.from_site(site, room)
    draws = uniform(seed, f"rc/{room}", np.arange(len(_OFF)))
    signs = np.where(draws < 0.5, -1.0, 1.0)
    values = {name: getattr(prior, name) * (1 + error * sign) for name, sign in zip(_OFF, signs, strict=True)}
    values["heating_power"] = values["k_heat"] * (SUPPLY_WATER - DESIGN_ROOM)
    return prior.with_parameters(values)


def _dazzled(world: World) -> np.ndarray:
    """(R, N) whether somebody would be dazzled who was already dazzled in the step before: before, nobody can know."""
    dazzled = (world.people > 0) & (world.irradiance > GLARE_ABOVE)
    dazzled[:, 1:] &= dazzled[:, :-1] & (world.presence[:, :-1] > 0)
    dazzled[:, 0] = False
    return dazzled


def _blocked(site: Site, world: World) -> np.ndarray:
    """(N,) whether the wind of the step before, which is what a controller knows, keeps the shades up."""
    guard, wind = WindGuard(site), world.series("wind_speed")
    return np.array([False, *(guard.blocked(at, speed) for at, speed in zip(world.times[1:], wind[:-1], strict=True))])
