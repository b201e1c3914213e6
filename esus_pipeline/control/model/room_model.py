"""The grey-box model of one room: two heat capacities, two resistances to each other and to the outdoors (2R2C).

    C_air  dT_air/dt  = H_am (T_mass - T_air) + H_ao (T_out - T_air) + Q + f_air S + g_person n + constant
    C_mass dT_mass/dt = H_am (T_air - T_mass) + H_mo (T_out - T_mass) + H_mb (T_building - T_mass) + (1 - f_air) S

S = k_open (1 - s) gain_open + k_shaded s gain_shaded, with the gains of frames.SOLAR_GAIN and the shade position s,
0 open .. 1 closed. Q is heat to the air, cooling negative. Radiator and supply air are conductances towards the
temperature of the water and of the supply air: G (T_source - T_air); that of the radiator follows its valve with the
time constant t_radiator. With the states known only G T_source is an input
and G adds to the losses of the air (argument `conductance` of `discretise`), which keeps the model linear in its state.

Belongs here: the model, its exact discretisation, and the prior from the site's geometry. Does not belong here:
learning it from readings (see identification) and the state of a room now (see kalman).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from esus_pipeline.site import Room, Site

Array = npt.NDArray[np.float64]

AIR_HEAT = 0.335
"""Wh/(m3 K), heat capacity of air."""
LEAKAGE = 0.1
"""Air changes per hour through leaks."""
FRESH_AIR = 36.0
"""m3/h of supply air per person at full use (10 l/s), while people are expected."""
SUPPLY_AIR = 18.0
"""degC; supply air is warmed to this (heat recovery, coil) and comes in as outdoor air when that is warmer."""
SUPPLY_WATER = 60.0
"""degC of the heating water at which a radiator gives its design power (DS 469: 60/40 in a room of 20 degC)."""
DESIGN_ROOM = 20.0
"""degC, room temperature at which a radiator gives its design power."""
DESIGN_OUTDOOR = -12.0
"""degC outdoors at which the design power is needed (DS 418)."""
RADIATOR_EXPONENT = 1.3
"""Of a radiator's heat over its excess temperature (EN 442)."""
EMITTER = 0.3
"""Shape of a radiator's heat over its valve: v / (v + EMITTER (1 - v)); half open gives three quarters of the heat."""
PERSON_HEAT = 75.0
"""W sensible per person."""
WORKPLACE_HEAT = 100.0
"""W of equipment and light per person at work."""
FAST_CAPACITY = 30_000.0
"""J/(K m2 floor) of what follows the air within an hour: air and furniture (10,000 in ISO 52016-1) and the skin of
walls and floors."""
SURFACE_EXCHANGE = 1 / (1 / (3.45 * 4.5) + 1 / (9.1 * 2.5))
"""W/(K m2 floor) from air to mass, ISO 13790: in series h_is over 4.5 and h_ms over 2.5 m2 surface per m2 floor."""
INNER_SURFACES = 2.0
"""W/(K m2 floor) to the rooms around, through two floors and inner walls."""
RADIATOR_TIME = 600.0
"""s in which a panel radiator follows its valve to 1 - 1/e."""
SUN_TO_AIR = 0.3
"""Share of the sun that warms air and furniture at once."""

PARAMETERS = {
    "c_air": "J/K",
    "c_mass": "J/K",
    "h_am": "W/K",
    "h_ao": "W/K",
    "h_mo": "W/K",
    "h_mb": "W/K",
    "k_open": "1",
    "k_shaded": "1",
    "f_air": "1",
    "g_person": "W",
    "constant": "W",
    "k_heat": "W/K",
    "t_radiator": "s",
    "k_vent": "1",
}
"""What is identified, with its unit."""

INPUTS = ("outdoor", "heat", "sun", "people", "one")
"""Order of the inputs of `discretise`: degC, W, W after the aperture factors, persons, 1."""


@dataclass(frozen=True)
class RoomModel:
    """One room's model: parameters as in the module's equations, and where they come from."""

    room: str
    c_air: float
    """J/K of air, furniture and surfaces that follow the air within minutes."""
    c_mass: float
    """J/K of floors and walls."""
    h_am: float
    """W/K between air and mass."""
    h_ao: float
    """W/K from air to outdoors: glass, leaks, supply air that runs always."""
    h_mo: float
    """W/K from mass to outdoors."""
    h_mb: float
    """W/K from mass to the rooms around, through floors and inner walls."""
    k_open: float
    """Sun that comes in through open shades, as a share of the estimate gain_open."""
    k_shaded: float
    """The same of gain_shaded with closed shades."""
    f_air: float
    """Share of the sun that warms the air at once."""
    g_person: float
    """W per person present, with what a workplace uses."""
    constant: float
    """W that are always there: equipment, neighbours, pipes."""
    k_heat: float
    """W per kelvin between heating water and air at a fully open valve."""
    t_radiator: float
    """s in which a radiator follows its valve to 1 - 1/e: its own mass."""
    k_vent: float
    """Supply air as a share of damper position times the greatest flow."""
    building_temperature: float = 21.5
    """degC of the rooms around, which is taken as steady."""
    area: float = 0.0
    """m2 of floor; a fact of the site."""
    heating_power: float = 0.0
    """W, greatest output of the radiator; a fact of the site."""
    ventilation_flow: float = 0.0
    """m3/h, greatest supply air; a fact of the site."""
    occupants: float = 0.0
    """People at full use; a fact of the site."""
    version: int = 0
    """0 is the prior from the site's geometry; every training that is taken into use counts one up."""
    trained_from: datetime | None = None
    trained_to: datetime | None = None
    rmse: Mapping[int, float] = field(default_factory=dict)
    """Hours ahead -> root mean square error of the predicted air temperature, K, on readings not trained on."""
    unknown: tuple[str, ...] = ()
    """Parameters that the readings could not tell; their values are the prior's."""

    @classmethod
    def from_site(cls, site: Site, room_id: str) -> Self:
        """What is assumed before anything is learned. KeyError for an unknown room."""
        room = site.room(room_id)
        return cls(
            room=room_id,
            c_air=FAST_CAPACITY * room.area,
            c_mass=room.heat_capacity * room.area,
            h_am=SURFACE_EXCHANGE * room.area,
            h_ao=_glass(room) + AIR_HEAT * LEAKAGE * room.area * room.height,
            h_mo=max(room.outer_wall_area * room.outer_wall_u_value, 0.02 * room.area),
            h_mb=INNER_SURFACES * room.area,
            k_open=1.0,
            k_shaded=1.0,
            f_air=SUN_TO_AIR,
            g_person=PERSON_HEAT + WORKPLACE_HEAT,
            constant=0.0,
            k_heat=room.heating_power / (SUPPLY_WATER - DESIGN_ROOM),
            t_radiator=RADIATOR_TIME,
            k_vent=1.0,
            area=room.area,
            heating_power=room.heating_power,
            ventilation_flow=room.ventilation_flow,
            occupants=room.occupants,
            unknown=tuple(PARAMETERS),
        )

    def sun(self, gain_open: Array, gain_shaded: Array, shade: Array) -> Array:
        """S, W: estimated gains (W) through the aperture at shade positions 0 open .. 1 closed; shapes broadcast."""
        return self.k_open * gain_open * (1 - shade) + self.k_shaded * gain_shaded * shade

    def radiator_conductance(self, valve: Array) -> Array:
        """W/K between air and heating water at valve positions 0 .. 1."""
        return self.k_heat * _emission(valve)

    def radiator_rest(self, step_seconds: float) -> float:
        """What a step takes over of the radiator's state at the step before: exp(-step / t_radiator), 0 .. 1."""
        return float(np.exp(-step_seconds / max(self.t_radiator, 1.0)))

    def supply_air_conductance(self, damper: Array) -> Array:
        """W/K between room air and supply air at damper positions 0 .. 1."""
        return self.k_vent * AIR_HEAT * self.ventilation_flow * damper

    def fresh_air_conductance(self, people: Array) -> Array:
        """W/K of supply air that people are given where no damper position is known, such as in a forecast."""
        return self.k_vent * AIR_HEAT * np.minimum(FRESH_AIR * people, self.ventilation_flow)

    def with_parameters(self, values: Mapping[str, float]) -> Self:
        """The same room with other parameters."""
        changed: dict[str, Any] = dict(values)
        return replace(self, **changed)

    def to_dict(self) -> dict[str, Any]:
        """Plain numbers, strings and lists, for tables and JSON."""
        plain = {item.name: getattr(self, item.name) for item in fields(self)}
        for name in ("trained_from", "trained_to"):
            plain[name] = plain[name].isoformat() if plain[name] is not None else None
        plain["rmse"] = {str(hours): error for hours, error in self.rmse.items()}
        plain["unknown"] = list(self.unknown)
        return plain

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Self:
        """The model that `to_dict` was asked of. ValueError names what does not fit."""
        known = {item.name for item in fields(cls)}
        odd = sorted(set(plain) ^ known)
        if odd:
            raise ValueError(f"not a room model: missing or unknown fields {odd}")
        times = {
            name: datetime.fromisoformat(plain[name]) if plain[name] is not None else None
            for name in ("trained_from", "trained_to")
        }
        rmse = {int(hours): float(error) for hours, error in plain["rmse"].items()}
        model = cls(**{**plain, **times, "rmse": rmse, "unknown": tuple(plain["unknown"])})
        model.check()
        return model

    def check(self) -> None:
        """ValueError where the parameters describe no room: not finite, or a capacity or conductance not positive."""
        values = {name: float(getattr(self, name)) for name in PARAMETERS}
        bad = [name for name, value in values.items() if not np.isfinite(value)]
        bad += [name for name in ("c_air", "c_mass", "h_am", "h_ao") if values[name] <= 0]
        negative = ("h_mo", "h_mb", "k_open", "k_shaded", "f_air", "g_person", "k_heat", "t_radiator", "k_vent")
        bad += [name for name in negative if values[name] < 0]
        bad += ["f_air"] if values["f_air"] > 1 else []
        if bad:
            raise ValueError(f"room {self.room}: the model's {', '.join(dict.fromkeys(bad))} cannot be")


def heat_from_valve(k_heat: float, valve: Array, supply_temperature: Array, air_temperature: Array) -> Array:
    """Heat of a radiator, W: k_heat (W/K) at the valve's position 0 .. 1 between water and air, degC; never below 0."""
    return np.asarray(np.maximum(k_heat * _emission(valve) * (supply_temperature - air_temperature), 0.0))


def water_by_weather(outdoor: Array) -> Array:
    """Temperature of heating water that is compensated by the weather, degC, for where it is not measured.

    The heat needed grows with DESIGN_ROOM less the outdoor temperature (degC, mean of some hours), the radiator's
    with the power RADIATOR_EXPONENT of the water's excess over the room.
    """
    need = np.clip((DESIGN_ROOM - outdoor) / (DESIGN_ROOM - DESIGN_OUTDOOR), 0.0, 1.0)
    return np.asarray(DESIGN_ROOM + (SUPPLY_WATER - DESIGN_ROOM) * need ** (1 / RADIATOR_EXPONENT))


def discretise(model: RoomModel, step_seconds: float, conductance: npt.ArrayLike = 0.0) -> tuple[Array, Array]:
    """x[k+1] = A x[k] + B u[k], exact for inputs that are constant over the step (zero-order hold).

    Args:
        model: the room.
        step_seconds: length of the step.
        conductance: W/K from the air to the radiator's water and to the supply air, of any shape. Its heat,
            conductance times temperature of the source (degC), then belongs to the input Q.

    Returns:
        A (..., 2, 2) for x = (T_air, T_mass) and B (..., 2, 5) for u in the order of INPUTS, shaped as `conductance`.
        The exponential of a 2 x 2 matrix stands in closed form (Sylvester's formula), for many conductances at once.
    """
    extra = np.asarray(conductance, dtype=float)
    rates = np.empty((*extra.shape, 2, 2))
    rates[..., 0, 0] = -(model.h_am + model.h_ao + extra) / model.c_air
    rates[..., 0, 1] = model.h_am / model.c_air
    rates[..., 1, 0] = model.h_am / model.c_mass
    rates[..., 1, 1] = -(model.h_am + model.h_mo + model.h_mb) / model.c_mass
    mean = (rates[..., 0, 0] + rates[..., 1, 1]) / 2
    root = np.sqrt(((rates[..., 0, 0] - rates[..., 1, 1]) / 2) ** 2 + rates[..., 0, 1] * rates[..., 1, 0])
    fast, slow = np.exp((mean - root) * step_seconds), np.exp((mean + root) * step_seconds)
    share = ((slow - fast) / (2 * root))[..., None, None]
    eye = np.eye(2)
    keep = ((slow + fast) / 2)[..., None, None] * eye + share * (rates - mean[..., None, None] * eye)
    sources = np.array(
        [
            [model.h_ao, 1.0, model.f_air, model.g_person, model.constant],
            [model.h_mo, 0.0, 1 - model.f_air, 0.0, model.h_mb * model.building_temperature],
        ]
    ) / np.array([[model.c_air], [model.c_mass]])
    return keep, np.linalg.solve(rates, (keep - eye) @ sources)


def pushed(drive: Array, outdoor: Array, heat: Array, sun: npt.ArrayLike, people: Array) -> Array:
    """(N, 2) K that known inputs add in each of N steps.

    Args:
        drive: (N, 2, 5) B of `discretise`.
        outdoor: (N,) degC.
        heat: (N,) W to the air.
        sun: (N,) or one W of sun inside.
        people: (N,) persons.
    """
    inputs = np.stack(np.broadcast_arrays(outdoor, heat, sun, people, 1.0), axis=-1)
    return np.asarray(np.einsum("nij,nj->ni", drive, inputs))


def _emission(valve: Array) -> Array:
    """Share of a radiator's heat: it grows less and less with the flow of water, which cools down less and less."""
    return valve / (valve + EMITTER * (1 - valve))


def _glass(room: Room) -> float:
    """W/K through the windows."""
    return sum(window.area * window.u_value for window in room.windows)
