"""What a plan is made from, and the same on the plan's time grid as numpy arrays.

Belongs here: reading values out of frames, turning the implausible into NaN. Does not belong here: any decision.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.measured import (
    IRRADIANCE_RANGE,
    TEMPERATURE_RANGE,
    WIND_RANGE,
    Measured,
    plausible,
    read_measured,
)
from esus_pipeline.control.model.kalman import State
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.control.override import Override
from esus_pipeline.control.rules import SAFETY, UNCOUNTED
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

STEPS = 144
"""Length of a published plan: 36 hours of 15 minutes."""
OUTLOOK = 192
"""How far the optimiser looks: 48 hours of 15 minutes."""
WIND_NOWCAST = 12
"""Steps in which a fresh reading of the wind gives way to the forecast (3 hours)."""
PAST = 24
"""Steps before the plan that are looked at to know how a hysteresis stands when the plan begins (6 hours)."""


Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ShadeState:
    """What a room's shade was last told: its position, since when, and how often it was moved this local day.

    Moves that the safety rules forced are not counted.
    """

    position: float
    since: datetime | None = None
    moves_today: int = 0
    by_safety: bool = False
    """Whether its last move was a safety rule's, for which no next one waits."""


@dataclass(frozen=True)
class RoomState:
    """What is estimated of a room at the start of a plan."""

    air: float
    """degC."""
    mass: float
    """degC of floors and walls."""
    disturbance: float = 0.0
    """W of heat that the model cannot explain; it fades over the coming hours."""

    @classmethod
    def of(cls, last: State) -> "RoomState":
        """From the newest estimate of the room's filter."""
        return cls(float(last.x[0]), float(last.x[1]), float(last.disturbance))


@dataclass(frozen=True)
class PlanInputs:
    """Everything that a plan depends on. All but `site` and `as_of` may be missing; the plan is then the safe one.

    `forecast` holds one issue of frames.WEATHER_FORECAST and `gains` one row of frames.SOLAR_GAIN per room and
    valid time, both with as many rows before `as_of` as are known. `rooms` holds the newest row of the room table
    per room, the building's included, with the room as a column or as the index; NaN says that no value is fresh.
    `shades` comes from `shade_states`.
    """

    site: Site
    as_of: datetime
    """First valid time of the plan, UTC, on a full quarter of an hour."""
    forecast: pd.DataFrame | None = None
    forecast_age: timedelta | None = None
    """Age at `as_of`; taken from the forecast's issued_at where it is not given."""
    gains: pd.DataFrame | None = None
    rooms: pd.DataFrame | None = None
    sources: pd.DataFrame | None = None
    """Rows of frames.ROOM_SOURCES of the same window as `rooms`, for the decision trace; they decide nothing."""
    wind_age: timedelta | None = None
    """Age of the newest measured wind speed; None says that it is not known, and the reading is not used."""
    past_wind: "pd.Series[float] | None" = None
    """Measured wind speed (m/s) by start of the 15 minutes (UTC), of the hours before `as_of`: a strong wind of half an
    hour ago still holds the shades up."""
    shades: Mapping[str, ShadeState] = field(default_factory=dict)
    overrides: Mapping[str, Override] = field(default_factory=dict)
    """Shades that somebody moved by hand, by room, from `override.overrides`."""
    told: Mapping[str, float] = field(default_factory=dict)
    """Heating setpoint in force until now, degC, by room, from `setpoints.told_setpoints`."""
    models: Mapping[str, RoomModel] = field(default_factory=dict)
    """Learned models by room; a room without one is planned with the prior from the site's geometry."""
    states: Mapping[str, RoomState] = field(default_factory=dict)
    """Estimated states by room; a room without one is taken to have walls as warm as its air."""
    people: pd.DataFrame | None = None
    """People expected, by start of the 15 minutes (UTC), a column per room; elsewhere the calendar speaks."""
    prices: "pd.Series[float] | None" = None
    """Electricity per kWh, all included, by start of its interval (UTC); elsewhere the tariff speaks."""

    def __post_init__(self) -> None:
        """ValueError for an as_of that no plan can begin at."""
        if self.as_of.tzinfo is None or self.as_of.timestamp() % STEP.total_seconds():
            raise ValueError(f"as_of must carry a zone and lie on a full quarter of an hour, got {self.as_of}")


@dataclass(frozen=True)
class Horizon:
    """The inputs on the grid. R rooms in the order of the site, N steps; the longer arrays begin PAST steps early."""

    site: Site
    as_of: datetime
    forecast_age: timedelta | None
    """None: there is no forecast."""
    outdoor: Array
    """(N,) degC, mean of each step."""
    wind: Array
    """(PAST + N,) m/s as the building's sensor reads it: measured before as_of where it was, forecast else; a fresh
    reading of as_of is blended into the forecast of the next WIND_NOWCAST steps, less and less."""
    irradiance: Array
    """(R, PAST + N) W/m2 on the facade."""
    gain_open: Array
    """(R, N) W with the shade up."""
    gain_shaded: Array
    """(R, N) W with the shade down."""
    measured: Measured
    """What the sensors say at as_of."""
    wind_forecast: Mask
    """(N,) whether the forecast says anything of the wind."""
    shades: Mapping[str, ShadeState]
    overrides: Mapping[str, Override]
    told: Mapping[str, float]

    @property
    def temperature(self) -> Array:
        """(R,) degC at as_of."""
        return self.measured.temperature

    @property
    def sun_now(self) -> Array:
        """(R,) W/m2 on the facade, as its sensor read it in the last window, else as the estimate has it now."""
        return np.where(np.isnan(self.measured.facade_sun), self.irradiance[:, PAST], self.measured.facade_sun)

    @property
    def steps(self) -> int:
        """N."""
        return len(self.outdoor)

    @cached_property
    def local(self) -> list[datetime]:
        """Local time at which each step starts, and the end of the last one (N + 1)."""
        return [(self.as_of + step * STEP).astimezone(self.site.zone) for step in range(self.steps + 1)]

    @cached_property
    def day(self) -> npt.NDArray[np.int64]:
        """(N,) local calendar day of each step, as an ordinal."""
        return np.array([local.toordinal() for local in self.local[:-1]])


def read_horizon(inputs: PlanInputs, steps: int = STEPS) -> Horizon:
    """The inputs on a grid of that many steps; what is missing, not finite or beyond what can be is NaN."""
    as_of = inputs.as_of.astimezone(UTC)
    forecast = _weather(inputs, as_of, PAST + steps)
    measured = read_measured(inputs.site, inputs.rooms, inputs.wind_age, inputs.sources)
    foreseen = np.fmax(forecast["wind_speed"], forecast["wind_gust"] / inputs.site.wind.gust_factor)
    sun = _sun(inputs, as_of, PAST + steps)
    return Horizon(
        site=inputs.site,
        as_of=as_of,
        forecast_age=_forecast_age(inputs, as_of),
        outdoor=forecast["temp_air"][PAST:],
        wind=_wind(foreseen, measured.wind, _past_wind(inputs, as_of)),
        irradiance=sun["poa_global"],
        gain_open=sun["gain_open"][:, PAST:],
        gain_shaded=sun["gain_shaded"][:, PAST:],
        measured=measured,
        wind_forecast=~np.isnan(foreseen[PAST:]),
        shades=inputs.shades,
        overrides=inputs.overrides,
        told=inputs.told,
    )


def shade_states(commanded: pd.DataFrame, as_of: datetime, zone: ZoneInfo) -> dict[str, ShadeState]:
    """What earlier plans last told each room's shade.

    Args:
        commanded: rows of frames.SHADE_SETPOINT_SCHEDULE that came into force before `as_of`: of each earlier plan
            the rows whose valid_time is its issued_at. The last 24 hours are enough.
        as_of: when the next plan begins.
        zone: local time of the building.
    """
    states: dict[str, ShadeState] = {}
    if not len(commanded):
        return states
    midnight = as_of.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    stamps = _microseconds(commanded["valid_time"])
    now, today = _epoch(as_of), _epoch(midnight)
    positions = commanded["shade_position"].to_numpy(dtype=float)
    rules = commanded["rule"].to_numpy(dtype=object)
    rooms = commanded["room"].to_numpy(dtype=object)
    for room in dict.fromkeys(rooms):
        rows = np.flatnonzero((rooms == room) & (stamps < now))
        rows = rows[np.argsort(stamps[rows], kind="stable")]
        if not len(rows):
            continue
        moved = rows[1:][np.diff(positions[rows]) != 0]
        since = datetime.fromtimestamp(stamps[moved[-1]] / 1e6, UTC) if len(moved) else None
        moves = sum(rule not in UNCOUNTED for rule in rules[moved[stamps[moved] >= today]])
        by_safety = bool(len(moved)) and rules[moved[-1]] in SAFETY
        states[str(room)] = ShadeState(float(positions[rows[-1]]), since, moves, by_safety)
    return states


def _wind(foreseen: Array, now: float, past: Array) -> Array:
    """(PAST + N,) m/s from the forecast, the fresh reading of now (NaN for none) and the readings before it."""
    wind = foreseen.copy()
    if not np.isnan(now):
        near = slice(PAST, PAST + WIND_NOWCAST)
        wind[near] += (now - foreseen[near]) * (1 - np.arange(WIND_NOWCAST) / WIND_NOWCAST)
        wind[PAST] = now
    wind[:PAST] = np.where(np.isnan(past), wind[:PAST], past)
    return wind


def _past_wind(inputs: PlanInputs, as_of: datetime) -> Array:
    """(PAST,) m/s as measured, NaN where it was not."""
    told = inputs.past_wind
    if told is None or not len(told):
        return np.full(PAST, np.nan)
    slot = _slots(told.index.to_series(), as_of, PAST)
    return plausible(_place(np.asarray(told, dtype=float), slot, slot >= 0, PAST), *WIND_RANGE)


def _weather(inputs: PlanInputs, as_of: datetime, length: int) -> dict[str, Array]:
    columns = {"temp_air": TEMPERATURE_RANGE, "wind_speed": WIND_RANGE, "wind_gust": WIND_RANGE}
    frame = inputs.forecast
    if frame is None or not len(frame):
        return {name: np.full(length, np.nan) for name in columns}
    slot = _slots(frame["valid_time"], as_of, length)
    inside = slot >= 0
    return {
        name: plausible(_place(frame[name].to_numpy(dtype=float), slot, inside, length), *limits)
        for name, limits in columns.items()
    }


def _forecast_age(inputs: PlanInputs, as_of: datetime) -> timedelta | None:
    if inputs.forecast is None or not len(inputs.forecast):
        return None
    if inputs.forecast_age is not None:
        return inputs.forecast_age
    issued = pd.Timestamp(inputs.forecast["issued_at"].max())
    return None if pd.isna(issued) else as_of - issued.to_pydatetime()


def _sun(inputs: PlanInputs, as_of: datetime, length: int) -> dict[str, Array]:
    names = ("poa_global", "gain_open", "gain_shaded")
    rooms = inputs.site.rooms
    sun = {name: np.full((len(rooms), length), np.nan) for name in names}
    frame = inputs.gains
    if frame is None or not len(frame):
        return sun
    slot = _slots(frame["valid_time"], as_of, length)
    row = np.asarray(pd.Categorical(frame["room"], categories=inputs.site.room_ids).codes)
    inside = (slot >= 0) & (row >= 0)
    glass = np.array([[sum(window.area for window in room.windows)] for room in rooms])
    for name in names:
        scale = 1.0 if name == "poa_global" else glass
        low, high = (limit * scale for limit in IRRADIANCE_RANGE)
        sun[name][row[inside], slot[inside]] = frame[name].to_numpy(dtype=float)[inside]
        sun[name] = np.maximum(plausible(sun[name], low, high), 0.0)
    return sun


def _place(values: Array, slot: npt.NDArray[np.int64], inside: Mask, length: int) -> Array:
    placed = np.full(length, np.nan)
    placed[slot[inside]] = values[inside]
    return placed


def _slots(valid_time: "pd.Series[pd.Timestamp]", as_of: datetime, length: int) -> npt.NDArray[np.int64]:
    """Place of each time on the long grid; -1 where it is not on it."""
    step = int(STEP.total_seconds() * 1e6)
    offset = _microseconds(valid_time) - (_epoch(as_of) - PAST * step)
    slot = offset // step
    return np.where((offset % step == 0) & (slot >= 0) & (slot < length), slot, -1)


def _microseconds(times: "pd.Series[pd.Timestamp]") -> npt.NDArray[np.int64]:
    return np.asarray(pd.DatetimeIndex(times).as_unit("us").asi8)


def _epoch(instant: datetime) -> int:
    return round(instant.timestamp()) * 1_000_000
