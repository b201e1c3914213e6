"""How a room's temperature answers weather, sun and people: one heat capacity, from the site's geometry alone.

The lumped form of ISO 13790's simple hourly method: transmission through glass and wall, leakage, supply air,
people, sun, and a radiator that holds the heating setpoint as far as its power goes. No mechanical cooling is
assumed, so that a prediction over the band shows. A model learned from readings can take this one's place: it has
to offer `predict`.
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.control.inputs import Array, Horizon, Mask
from esus_pipeline.control.model.room_model import (
    AIR_HEAT,
    FRESH_AIR,
    LEAKAGE,
    PERSON_HEAT,
    SUPPLY_AIR,
    WORKPLACE_HEAT,
)
from esus_pipeline.control.setpoints import Setpoints
from esus_pipeline.frames import STEP
from esus_pipeline.site import Room

PRESENCE = 0.6
"""Share of a room's people who are there in working hours."""


@dataclass(frozen=True)
class RoomResponse:
    """Recursion T[k+1] = keep[k] T[k] + push[k], raised towards the heating setpoint; arrays are (N, R)."""

    keep: Array
    push_open: Array
    push_shaded: Array
    heating: Array
    """(N,) setpoint at the end of each step, degC."""
    radiator: Array
    """Kelvin that the radiator at full power adds within a step."""

    def predict(self, temperature: Array, shaded: Mask, first: int = 0) -> Array:
        """Temperatures at the start of each step from `first` on.

        Args:
            temperature: (R,) degC at the start of step `first`.
            shaded: (n, ..., R) whether the shade is down, for the n steps from `first` on.
            first: index of the first step.

        Returns:
            (n, ..., R) degC; NaN where the inputs up to that step are not all known.
        """
        last = first + len(shaded)
        shape = (len(shaded),) + (1,) * (shaded.ndim - 2) + (shaded.shape[-1],)
        push = np.where(shaded, self.push_shaded[first:last].reshape(shape), self.push_open[first:last].reshape(shape))
        path = np.empty(shaded.shape)
        path[0] = temperature
        heated = np.empty(shaded.shape[1:])
        for now in range(len(shaded) - 1):
            then = path[now + 1]
            np.multiply(self.keep[first + now], path[now], out=then)
            np.add(then, push[now], out=then)
            np.add(then, self.radiator[first + now], out=heated)
            np.minimum(heated, self.heating[first + now], out=heated)
            np.maximum(then, heated, out=then)
        return path


def make_response(horizon: Horizon, setpoints: Setpoints) -> RoomResponse:
    """The response of every room to the coming weather."""
    rooms = horizon.site.rooms
    hours = STEP.total_seconds() / 3600
    capacity = np.array([room.heat_capacity * room.area / 3600 for room in rooms])
    to_outdoors = np.array([_transmission(room) for room in rooms])
    to_supply = np.outer(setpoints.occupied, [AIR_HEAT * _supply_air(room) for room in rooms])
    present = np.array([PRESENCE * room.occupants for room in rooms])
    people = np.outer(setpoints.occupied, present * (PERSON_HEAT + WORKPLACE_HEAT))
    outdoor = horizon.outdoor[:, None]
    loss = to_outdoors + to_supply
    keep = np.exp(-loss * hours / capacity)
    rest = to_outdoors * outdoor + to_supply * np.maximum(outdoor, SUPPLY_AIR) + people
    share = (1 - keep) / loss
    return RoomResponse(
        keep=keep,
        push_open=share * (rest + horizon.gain_open.T),
        push_shaded=share * (rest + horizon.gain_shaded.T),
        heating=np.append(setpoints.heating[1:], setpoints.heating[-1]),
        radiator=share * np.array([room.heating_power for room in rooms]),
    )


def _transmission(room: Room) -> float:
    """W/K from the room to the outdoors: glass, wall, leaks."""
    glass = sum(window.area * window.u_value for window in room.windows)
    return glass + room.outer_wall_area * room.outer_wall_u_value + AIR_HEAT * LEAKAGE * room.area * room.height


def _supply_air(room: Room) -> float:
    """m3/h while people are expected."""
    return min(FRESH_AIR * room.occupants, room.ventilation_flow)
