"""The vocabulary of quantities: canonical unit, plausible range and rate, and how a value is carried onto a grid.

Belongs here: what is true of a quantity in any building. A site may add quantities of its own or overrule these in
its site file. Does not belong here: what to do with an implausible value (see readings).

Ranges are limits of the sensible, not of comfort: outside them a sensor is broken. Rates bound the fastest honest
change between two readings of a room-mounted sensor.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

CONVERSIONS: dict[tuple[str, str], tuple[float, float]] = {
    ("degF", "degC"): (5 / 9, -160 / 9),
    ("K", "degC"): (1.0, -273.15),
    ("Wh", "kWh"): (1e-3, 0.0),
    ("MWh", "kWh"): (1e3, 0.0),
    ("kW", "W"): (1e3, 0.0),
    ("klux", "lux"): (1e3, 0.0),
    ("fraction", "percent"): (100.0, 0.0),
    ("km/h", "m/s"): (1 / 3.6, 0.0),
    ("m3/h", "l/s"): (1 / 3.6, 0.0),
    ("s", "min"): (1 / 60, 0.0),
}
"""(unit of the point, canonical unit) -> (factor, offset): canonical = value * factor + offset."""


class Quantity(BaseModel):
    """What is known of a quantity: `unit` is canonical, `low`/`high` and `max_rate` are in that unit."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    unit: str
    low: float | None = None
    high: float | None = None
    max_rate: Annotated[float, Field(gt=0)] | None = None
    """Largest honest change per minute between two readings; none where jumps are normal."""
    spike: Annotated[float, Field(gt=0)] | None = None
    """A reading further than this from the middle of those before it is a spike; none where any jump is honest."""
    still: Annotated[timedelta, Field(gt=timedelta(0), le=timedelta(days=1))] | None = None
    """A sensor that says the same for longer is stuck; none where stillness is honest."""
    still_above: float | None = None
    """Stillness at this value or below it is honest all the same (a calm, a night); none where it never is."""
    sampling: Literal["mean", "interpolate", "last"] = "last"
    """Onto the 15-minute grid: time-weighted mean of the held signal, the same of the line between two readings,
    or the value in force at the end of the window."""
    max_age: Annotated[timedelta, Field(gt=timedelta(0))] = timedelta(hours=2)
    """A reading older than this says nothing about now."""

    @model_validator(mode="after")
    def _order(self) -> "Quantity":
        if self.low is not None and self.high is not None and self.low >= self.high:
            raise ValueError("low must be less than high")
        if self.still_above is not None and self.still is None:
            raise ValueError("still_above needs still")
        return self

    def convert(self, unit: str) -> tuple[float, float] | None:
        """Factor and offset from a point's unit to this one; none where they are of different kinds."""
        if unit == self.unit:
            return 1.0, 0.0
        return CONVERSIONS.get((unit, self.unit))


_SETPOINT_AGE = timedelta(days=31)
_STATE_AGE = timedelta(days=31)


def _temperature(low: float, high: float, max_rate: float | None, spike: float | None = None) -> Quantity:
    still = None if spike is None else timedelta(days=1)
    return Quantity(
        unit="degC", low=low, high=high, max_rate=max_rate, spike=spike, still=still, sampling="interpolate"
    )


def _setpoint(unit: str, low: float, high: float) -> Quantity:
    return Quantity(unit=unit, low=low, high=high, max_age=_SETPOINT_AGE)


def _state(unit: str = "bool", low: float = 0, high: float = 1) -> Quantity:
    return Quantity(unit=unit, low=low, high=high, max_age=_STATE_AGE)


def _share(max_age: timedelta = timedelta(hours=2)) -> Quantity:
    return Quantity(unit="percent", low=0, high=100, sampling="mean", max_age=max_age)


def _meter(unit: str) -> Quantity:
    return Quantity(unit=unit, low=0, max_age=timedelta(days=2))


_SUN_LIMIT = Quantity(unit="unknown", low=0, high=2000, max_age=_SETPOINT_AGE)
_STILL_SUN = timedelta(hours=6)
_DAYLIGHT = 20.0
"""Beyond this it is day, in W/m2 as in klux."""
_SUN_SENSOR = Quantity(unit="unknown", low=0, high=2000, still=_STILL_SUN, still_above=_DAYLIGHT, sampling="mean")
_STILL_WIND = timedelta(hours=3)
_LIGHT_AIR = 1.0
"""m/s; up to it a cup anemometer may stand still. Above it OU44's kept a value for 14 minutes at most in its month."""

QUANTITIES: dict[str, Quantity] = {
    "air_temperature": _temperature(5, 45, 1.0, 1.5),
    "base_setpoint": _setpoint("degC", 10, 30),
    "blind_motor_east": _state("state", 0, 10),
    "blind_motor_south": _state("state", 0, 10),
    "blind_position": _share(timedelta(days=31)),
    "co2": Quantity(
        unit="ppm", low=200, high=5000, max_rate=400, spike=500, still=timedelta(hours=6), sampling="interpolate"
    ),
    "cooling_setpoint": _setpoint("degC", 10, 40),
    "cooling_valve": _share(timedelta(days=4)),
    "damper_off_delay": _setpoint("min", 0, 240),
    "damper_position": _share(timedelta(hours=12)),
    "deadband_day": _setpoint("K", 0, 15),
    "deadband_night": _setpoint("K", 0, 15),
    "deadband_standby": _setpoint("K", 0, 15),
    "global_irradiance": Quantity(
        unit="W/m2", low=-5, high=1500, still=_STILL_SUN, still_above=_DAYLIGHT, sampling="mean"
    ),
    "heating_energy": _meter("kWh"),
    "heating_flow": Quantity(unit="l/s", low=0, high=50, sampling="mean"),
    "heating_operating_hours": _meter("h"),
    "heating_power": Quantity(unit="W", low=0, high=5e6, sampling="mean"),
    "heating_return_temperature": _temperature(0, 110, None),
    "heating_setpoint": _setpoint("degC", 5, 30),
    "heating_supply_temperature": _temperature(0, 130, None),
    "heating_volume": _meter("m3"),
    "illuminance": Quantity(unit="lux", low=0, high=120_000, sampling="mean", max_age=timedelta(hours=17)),
    "light_level": _share(_STATE_AGE),
    "light_manual_switch": _state(),
    "light_off_by_daylight": _state(),
    "light_off_delay": _setpoint("min", 0, 240),
    "light_off_illuminance": _setpoint("lux", 0, 5000),
    "light_on": _state(),
    "lighting_energy": _meter("kWh"),
    "occupancy": Quantity(unit="bool", low=0, high=1, sampling="mean", max_age=timedelta(days=4)),
    "occupants": Quantity(unit="person", low=0, high=1000, sampling="mean", max_age=timedelta(days=4)),
    "outdoor_temperature": _temperature(-40, 50, None, 4.0),
    "plug_energy": _meter("kWh"),
    "radiator_valve": _share(timedelta(days=4)),
    "setpoint_offset": _setpoint("K", -10, 10),
    "shading_close_limit_east": _SUN_LIMIT,
    "shading_close_limit_south": _SUN_LIMIT,
    "shading_open_limit_east": _SUN_LIMIT,
    "shading_open_limit_south": _SUN_LIMIT,
    "shading_power": _state(),
    "shading_released": _state(),
    "solar_intensity_east": _SUN_SENSOR,
    "solar_intensity_south": _SUN_SENSOR,
    "solar_intensity_west": _SUN_SENSOR,
    "supply_temperature_after_coil": _temperature(-20, 60, None),
    "supply_temperature_before_exchanger": _temperature(-40, 60, None),
    "ventilation_status": _state("state", 0, 10),
    "wind_block_limit": _setpoint("m/s", 0, 40),
    "wind_release_limit": _setpoint("m/s", 0, 40),
    "wind_speed": Quantity(unit="m/s", low=0, high=60, still=_STILL_WIND, still_above=_LIGHT_AIR, sampling="mean"),
    "window_open": _state(),
}
