"""The rooms' models on the plan's quarters of an hour: where temperatures go, and when heating must begin.

Belongs here: simulating 15 minutes at a time what the optimum decided by the hour. Does not belong here: deciding (see
solve), setpoints (see follow).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.inputs import Array, Horizon, Mask, PlanInputs
from esus_pipeline.control.model.room_model import (
    RADIATOR_TIME,
    SUPPLY_AIR,
    RoomModel,
    discretise,
    pushed,
    water_by_weather,
)
from esus_pipeline.control.optimiser.optimum import HOURS, Optimum
from esus_pipeline.control.optimiser.outlook import cooling_limit, expected_people, prior
from esus_pipeline.control.setpoints import SAME, Setpoints, held_band
from esus_pipeline.frames import STEP

LONGEST_PREHEAT = 32
"""Steps before work at which heating begins at the earliest (8 hours)."""
LEAST_WORTH = 1e-3
"""K at the start of work that a kelvin before it counts for at least; only an absurd model has less."""

_SECONDS = STEP.total_seconds()


@dataclass(frozen=True)
class Quarters:
    """M rooms that the optimum planned, N steps of 15 minutes: x[k+1] = keep[k] x[k] + heat[k] W + rest[k]."""

    rooms: list[int]
    """Indices into the site's."""
    start: Array
    """(M, 2) degC of air and mass."""
    keep: Array
    """(M, N, 2, 2)."""
    heat: Array
    """(M, N, 2) K per W."""
    rest: Array
    """(M, N, 2) K."""
    power: Array
    """(M, N) W, greatest heat of the radiator with the water as warm as it is."""
    chill: Array
    """(M, N) W."""
    lag: Array
    """(M,) steps in which a radiator follows its valve to 1 - 1/e; 0 where the readings do not show it to be slow."""
    stays: Array
    """(M,) share of its heat that such a radiator keeps for the next step."""
    stored: Array
    """(M,) W over a step that the radiator still holds at the start, because it has been heated for work."""

    @classmethod
    def ahead(
        cls,
        inputs: PlanInputs,
        horizon: Horizon,
        setpoints: Setpoints,
        closed: Mask,
        optimum: Optimum,
        rooms: list[int],
    ) -> "Quarters":
        """The rooms under the shades (R, N) of a plan, with the weather and the people that are expected."""
        site, steps = horizon.site, horizon.steps
        names = [site.room_ids[room] for room in rooms]
        models = [
            _believable(inputs.models.get(name)) or prior(site, room) for name, room in zip(names, rooms, strict=True)
        ]
        place = np.clip((horizon.as_of - optimum.issued_at) / STEP + np.arange(steps), 0, None)
        hour = np.minimum(place // 4, HOURS - 1).astype(np.int64)
        unexplained = np.nan_to_num(optimum.disturbance[rooms][:, hour])
        outdoor = horizon.outdoor
        people = expected_people(inputs, horizon, setpoints, rooms)
        supply = np.maximum(outdoor, SUPPLY_AIR)
        water = _water(horizon)
        keep, heat, rest, power = [], [], [], []
        for row, (model, room) in enumerate(zip(models, rooms, strict=True)):
            fresh = model.fresh_air_conductance(people[row])
            own, drive = discretise(model, _SECONDS, fresh)
            sun = model.sun(horizon.gain_open[room], horizon.gain_shaded[room], closed[room].astype(float))
            keep.append(own)
            heat.append(drive[..., 1])
            rest.append(pushed(drive, outdoor, fresh * supply + unexplained[row], sun, people[row]))
            power.append(np.clip(model.k_heat * (water - setpoints.heating), 0.0, site.rooms[room].heating_power))
        chill = [cooling_limit(site, room, setpoints.cooling, supply, setpoints.occupied) for room in rooms]
        lag = np.array([_lag(model) for model in models])
        stored = np.where(_heated_for_work(horizon, setpoints, rooms), lag * np.stack(power)[:, 0], 0.0)
        start = np.stack([horizon.temperature[rooms], _mass(optimum, place[0], rooms, horizon)], axis=-1)
        return cls(
            rooms=rooms,
            start=start,
            keep=np.stack(keep),
            heat=np.stack(heat),
            rest=np.stack(rest),
            power=np.stack(power),
            chill=np.stack(chill),
            lag=lag,
            stays=np.where(lag > 0, [model.radiator_rest(_SECONDS) for model in models], 0.0),
            stored=stored,
        )

    @property
    def warmed(self) -> list[int]:
        """The rooms (indices into the site's) whose slow radiators have been heated for work."""
        return [room for room, heat in zip(self.rooms, self.stored, strict=True) if heat > 0]

    def path(self, heating: Array, cooling: Array) -> Array:
        """(M, N) degC at the start of each step with setpoints (M, N) degC; thermostats at limited power."""
        path = []
        air, mass = self.start[:, 0], self.start[:, 1]
        given = (1 - self.stays) * self.stored
        parts = (self.keep, self.heat, self.rest, self.power, -self.chill, heating, cooling)
        for a, b, other, most, coldest, lowest, highest in zip(*(np.moveaxis(p, 0, -1) for p in parts), strict=True):
            path.append(air)
            free = a[0, 0] * air + a[0, 1] * mass + other[0] + b[0] * given
            wanted = (np.minimum(np.maximum(free, lowest), highest) - free) / b[0]
            watts = np.minimum(np.maximum(wanted, coldest), most)
            mass = a[1, 0] * air + a[1, 1] * mass + other[1] + b[1] * (watts + given)
            air = free + b[0] * watts
            given = self.stays * given
        return np.stack(path, axis=-1)

    def preheating(self, setpoints: Setpoints, comfort: float) -> Array:
        """(M, N) degC that the air must have at the end of each step before work, so that all power warms it by then.

        -inf where a room at setback is warm enough.

        Optimum start: the model is linear, so what heating from step s until work adds is a sum over steps, taken
        backwards from the start of work. A radiator follows its valve with a lag of the first order, so it gives some
        of a step's heat in the steps after it, and what it keeps at the start of work warms the first step, whose mean
        is to be warm enough. What is still lacking there, over what a kelvin more now is worth there, is what the air
        of a room at setback lacks now. Where at least half of the power is needed, the setpoint is that of work: a
        thermostat that closes in on a ramp does not use all of it. A slow radiator that has been heated goes on until
        what it holds brings the room there, and is not turned down and up between.
        """
        needed = np.full(self.power.shape, -np.inf)
        begins = _begins(setpoints)
        if not len(begins):
            return needed
        idle = np.broadcast_to(setpoints.least, self.power.shape)
        air = self.path(idle, np.broadcast_to(setpoints.cooling, self.power.shape))
        late = self.lag * (1 - self.stays)
        for begin in begins.tolist():
            lacking = comfort - air[:, begin]
            lacking -= late * self.stays * self.heat[:, begin - 1, 0] * self.power[:, begin - 1] / 2
            released = np.zeros(len(self.rooms))
            worth = np.tile([1.0, 0.0], (len(self.rooms), 1))
            for step in range(begin - 1, max(begin - LONGEST_PREHEAT, 0) - 1, -1):
                if not (lacking > 0).any():
                    break
                at_once = np.einsum("mi,mi->m", worth, self.heat[:, step]) * self.power[:, step]
                gain = (1 - late) * at_once + late * released
                released = (1 - self.stays) * at_once + self.stays * released
                least = np.where(
                    lacking > gain / 2, comfort, air[:, step + 1] + lacking / np.maximum(worth[:, 0], LEAST_WORTH)
                )
                needed[:, step] = np.where(lacking > 0, np.minimum(least, comfort), -np.inf)
                lacking = lacking - gain
                worth = np.einsum("mi,mij->mj", worth, self.keep[:, step])
        coasts = air[:, begins[0]] >= comfort
        needed[:, 0] = np.where(self.stored > 0, np.where(coasts, -np.inf, comfort), needed[:, 0])
        return needed


def _lag(model: RoomModel) -> float:
    """Steps; 0 for a radiator that the readings do not show to be slower than is usual."""
    return model.t_radiator / _SECONDS if model.t_radiator > RADIATOR_TIME else 0.0


def _begins(setpoints: Setpoints) -> npt.NDArray[np.intp]:
    """The steps at which work begins."""
    return 1 + np.flatnonzero(setpoints.occupied[1:] & ~setpoints.occupied[:-1])


def _heated_for_work(horizon: Horizon, setpoints: Setpoints, rooms: list[int]) -> Mask:
    """(M,) rooms that are being heated for work that begins soon: told its setpoint until now, and not there yet."""
    begins, (comfort, _) = _begins(setpoints), held_band(horizon.site)
    if setpoints.occupied[0] or not len(begins) or begins[0] > LONGEST_PREHEAT:
        return np.zeros(len(rooms), dtype=bool)
    told = np.array([horizon.told.get(horizon.site.room_ids[room], np.nan) for room in rooms])
    return np.asarray((told > comfort - SAME) & (horizon.temperature[rooms] < told))


def _water(horizon: Horizon) -> Array:
    """(N,) degC of the heating water: as measured now, else as the weather asks for."""
    if np.isnan(horizon.measured.water):
        return water_by_weather(horizon.outdoor)
    return np.full(horizon.steps, horizon.measured.water)


def _believable(model: RoomModel | None) -> RoomModel | None:
    """The model unless no room can be like it; the optimiser has said so already."""
    if model is None:
        return None
    try:
        model.check()
        with np.errstate(all="ignore"):
            keep, drive = discretise(model, _SECONDS)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return None
    return model if np.isfinite(drive).all() and np.abs(keep).max() <= 1 else None


def _mass(optimum: Optimum, quarters: float, rooms: list[int], horizon: Horizon) -> Array:
    """(rooms,) degC of the walls now: as the optimum expected, or as warm as the air where it expected nothing."""
    ends = 4.0 * np.arange(1, HOURS + 1)
    expected = np.array([np.interp(quarters, ends, row) for row in optimum.mass[rooms]])
    return np.where(np.isfinite(expected), expected, horizon.temperature[rooms])
