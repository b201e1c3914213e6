"""What the sensors say now, out of the newest row of the room table; NaN where nothing is fresh or believable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import BUILDING
from esus_pipeline.site import Site
from esus_pipeline.site.model import SunSensor
from esus_pipeline.solar import IRRADIANCE_PER_UNIT

Array = npt.NDArray[np.float64]

FRESH_WIND = timedelta(minutes=30)
"""A measured wind older than this says nothing about now."""
NOW = 2
"""Steps for which what is seen now (a person, an open window) is taken to last; the next plans see anew."""
TEMPERATURE_RANGE = (-60.0, 60.0)
WIND_RANGE = (0.0, 100.0)
IRRADIANCE_RANGE = (-20.0, 2000.0)
"""W/m2 on a facade; sensors read a little below zero at night."""
AIR = "air_temperature"
PRESENCE = "occupancy"
WINDOW = "window_open"
WATER = "heating_supply_temperature"
RELEASED = "shading_released"
"""Quantity of the building: 1 when its own wind protection lets the shades move."""


@dataclass(frozen=True)
class Source:
    """Where one value of the room table comes from."""

    point: int
    age: timedelta
    """Of the point's newest reading when the plan begins."""
    stands_in_for: int | None
    """The better log of the same sensor, where that has no value."""
    because: str | None
    """Why it has none: silent, or the flag of its newest reading."""


@dataclass(frozen=True)
class Measured:
    """R rooms in the order of the site."""

    temperature: Array
    """(R,) degC."""
    wind: float
    """m/s, NaN where it is not fresh."""
    wind_age: timedelta | None
    present: Array
    """(R,) share of the last 15 minutes in which somebody was seen."""
    window_open: Array
    """(R,) 1 with an open window."""
    facade_sun: Array
    """(R,) W/m2 by the sun sensors of the room's facades, the sunniest of them; NaN where none tells."""
    water: float
    """degC of the heating water supplied, NaN where it is not measured."""
    released: float
    """1 where the building lets its shades move, 0 where it holds them up."""
    sources: Mapping[tuple[str, str], Source] = field(default_factory=dict)
    """By room and quantity, where they are told."""

    def somebody_in(self, rooms: list[int]) -> bool:
        """Whether anybody is seen in any of the rooms (indices into the site's)."""
        return bool((self.present[rooms] > 0).any())

    @property
    def wind_fresh(self) -> bool:
        """Whether the wind is known well enough to lower a shade."""
        return not np.isnan(self.wind)


def sourced(site: Site) -> set[str]:
    """Quantities of which a decision tells where they come from."""
    sensors = (facade.sun_sensor for facade in site.facades.values())
    return {AIR, PRESENCE, WINDOW, *(sensor.quantity for sensor in sensors if sensor is not None)}


def read_measured(
    site: Site, rooms: pd.DataFrame | None, wind_age: timedelta | None, sources: pd.DataFrame | None = None
) -> Measured:
    """The newest row per room, the building's included, with the room as a column or as the index.

    `sources` are rows of frames.ROOM_SOURCES of the same window.
    """
    if rooms is None or not len(rooms):
        rooms = pd.DataFrame({"room": pd.Series(dtype=object)})
    names = list(rooms["room"] if "room" in rooms.columns else rooms.index)

    def column(quantity: str) -> Mapping[str, float]:
        if quantity not in rooms.columns:
            return {}
        return dict(zip(names, rooms[quantity].to_numpy(dtype=float), strict=True))

    def of_rooms(quantity: str, low: float, high: float) -> Array:
        known = column(quantity)
        return plausible(np.array([known.get(room, np.nan) for room in site.room_ids], dtype=float), low, high)

    def of_building(quantity: str, low: float, high: float) -> float:
        return float(plausible(np.array([column(quantity).get(BUILDING, np.nan)], dtype=float), low, high)[0])

    def by_sensor(sensor: SunSensor) -> float:
        low, high = np.array(IRRADIANCE_RANGE) / IRRADIANCE_PER_UNIT[sensor.unit]
        return of_building(sensor.quantity, low, high) * IRRADIANCE_PER_UNIT[sensor.unit]

    facades = site.facades.items()
    sun = {name: by_sensor(facade.sun_sensor) for name, facade in facades if facade.sun_sensor is not None}
    on_rooms = [[sun.get(window.facade, np.nan) for window in room.windows] for room in site.rooms]
    fresh = wind_age is not None and timedelta(0) <= wind_age <= FRESH_WIND
    return Measured(
        temperature=of_rooms(AIR, *TEMPERATURE_RANGE),
        wind=of_building(site.wind.quantity, *WIND_RANGE) if fresh else np.nan,
        wind_age=wind_age,
        present=of_rooms(PRESENCE, 0.0, 1.0),
        window_open=of_rooms(WINDOW, 0.0, 1.0),
        facade_sun=np.array([np.fmax.reduce(own, initial=np.nan) for own in on_rooms]),
        water=of_building(WATER, 0.0, 130.0),
        released=of_building(RELEASED, 0.0, 1.0),
        sources={} if sources is None else _sources(sources),
    )


def _sources(rows: pd.DataFrame) -> dict[tuple[str, str], Source]:
    names = ["room", "quantity", "point_id", "age_minutes", "stands_in_for", "because"]
    return {
        (room, quantity): Source(
            point=point,
            age=timedelta(minutes=age),
            stands_in_for=None if np.isnan(better) else int(better),
            because=because if isinstance(because, str) else None,
        )
        for room, quantity, point, age, better, because in zip(*(rows[name].tolist() for name in names), strict=True)
    }


def plausible(values: Array, low: float | Array, high: float | Array) -> Array:
    """NaN in place of what is beyond the limits."""
    with np.errstate(invalid="ignore"):
        return np.where((values >= low) & (values <= high), values, np.nan)
