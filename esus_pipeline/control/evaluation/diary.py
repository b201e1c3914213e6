"""What a plant has said so far, as the pipeline would hold it: the sun from forecast and sensors, rooms' pasts, people.

Belongs here: turning observations into the tables and series that the product's own functions take. Does not belong
here: any decision (see optimal).
"""

from collections.abc import Mapping
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.evaluation.protocol import Observation
from esus_pipeline.control.model import History
from esus_pipeline.control.model.people import people_present
from esus_pipeline.control.model.room_model import SUPPLY_AIR
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Site
from esus_pipeline.solar import (
    NOWCAST_SPAN,
    FacadeFactor,
    FacadeSun,
    facade_factors,
    facade_irradiance,
    nowcast,
    pane_gains,
    room_gains,
)

_PERCENT = {"radiator_valve": "radiator_valve", "cooling_valve": "cooling_valve", "damper": "damper_position"}
"""Reading 0..1 -> quantity of the room table in percent."""
_AS_IS = {"air_temperature": "air_temperature", "co2": "co2", "presence": "occupancy", "window_open": "window_open"}
_SUN = ["gain_open", "gain_shaded"]
_FEW = 2
"""Steps whose facade readings are compared with the forecast."""

Array = npt.NDArray[np.float64]


class Diary:
    """Remembers every observation with the sun that was known of its step."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._seen: list[Observation] = []
        self._sun: list[Array] = []
        """(R, 2) W through open and closed shades in the step that ended, as the estimate at its start had it."""
        self._expected = np.full((len(site.rooms), 2), np.nan)
        self._issue: _Issue | None = None
        self._factors: dict[str, FacadeFactor] = {}

    def note(self, observation: Observation) -> None:
        """The next observation, a step after the last one."""
        self._seen.append(observation)
        self._sun.append(self._expected)
        self._expected = np.full_like(self._expected, np.nan)
        forecast = observation.forecast
        if forecast is None or forecast.empty:
            self._issue = None
            return
        key = forecast["issued_at"].max(), forecast["valid_time"].max()
        if self._issue is None or self._issue.key != key:
            self._issue = _Issue(self._site, key, forecast)
        self._factors = self._issue.factors(observation.time, self._readings())
        self._expected = self._issue.next_step(observation.time, self._factors)

    @property
    def gains(self) -> pd.DataFrame | None:
        """frames.SOLAR_GAIN as known at the last observation: its forecast, the next hours corrected by the sensors."""
        return None if self._issue is None else self._issue.known_at(self._seen[-1].time, self._factors)

    def history(self, room: str, steps: int | None = None) -> History:
        """What `room_history` would gather of the last steps (of all), from tables that have no gaps to bridge."""
        first = 0 if steps is None else max(0, len(self._seen) - steps)
        past, facts = self._seen[first:], self._site.room(room)
        sun = np.array([sun[self._site.room_ids.index(room)] for sun in self._sun[first:]])

        def column(name: str) -> Array:
            return np.array([getattr(observation.rooms[room], name) for observation in past])

        outdoor = np.array([observation.outdoor_temperature for observation in past])
        own = pd.DataFrame(
            {"occupancy": column("presence"), "co2": column("co2"), "damper_position": 100 * column("damper")}
        )
        return History(
            room=room,
            start=past[0].time - STEP,
            air=_means(column("air_temperature")),
            outdoor=outdoor,
            gain_open=sun[:, 0],
            gain_shaded=sun[:, 1],
            shade=column("shade_position"),
            people=people_present(facts, own),
            valve=column("radiator_valve"),
            water=column("supply_water"),
            damper=column("damper"),
            supply_air=np.maximum(outdoor, SUPPLY_AIR),
            window_open=np.nan_to_num(column("window_open")),
            cooling=(facts.cooling_power or 0.0) * np.nan_to_num(column("cooling_valve")),
        )

    def past_wind(self, steps: int) -> "pd.Series[float]":
        """m/s as measured in the last steps, by start of the step."""
        past = self._seen[-steps:]
        starts = pd.DatetimeIndex([observation.time - STEP for observation in past])
        return pd.Series([observation.wind_speed for observation in past], index=starts, dtype=float)

    def rows(self, steps: int) -> pd.DataFrame:
        """The room table of the last steps."""
        return pd.concat([room_rows(self._site, observation) for observation in self._seen[-steps:]])

    def _readings(self) -> pd.DataFrame:
        """The facade sensors' rows of frames.CLEAN_SERIES; a mean over a step stands at its middle."""
        rows = []
        for observation in self._seen[-_FEW:]:
            middle = observation.time - STEP / 2
            rows += [(name, middle, sun, "W/m2", "good") for name, sun in _facade_sun(self._site, observation).items()]
        return pd.DataFrame(rows, columns=["quantity", "timestamp", "value", "unit", "quality"])


def _means(ends: Array) -> Array:
    """(N,) means over the steps from what was read at their ends; the first step's begin is taken to be its end."""
    return (np.append(ends[:1], ends[:-1]) + ends) / 2


class _Issue:
    """One forecast issue's sun."""

    def __init__(self, site: Site, key: tuple[pd.Timestamp, pd.Timestamp], forecast: pd.DataFrame) -> None:
        self.key, self._site = key, site
        self._panes = pane_gains(site, forecast)
        self._gains = room_gains(site, self._panes)
        self._facades: dict[str, FacadeSun] = facade_irradiance(site, forecast)

        by_room = self._gains.set_index(["valid_time", "room"])[_SUN].unstack("room")
        self._times = pd.DatetimeIndex(by_room.index)
        self._sun = np.stack([by_room[name][list(site.room_ids)].to_numpy(dtype=float) for name in _SUN], axis=-1)
        self._facade = [room.windows[0].facade if room.windows else "" for room in site.rooms]

    def factors(self, now: datetime, readings: pd.DataFrame) -> dict[str, FacadeFactor]:
        """What the facade sensors say of the forecast; nothing in the dark."""
        if readings.empty or not readings["value"].max() > 0:
            return {}
        return facade_factors(self._site, readings, self._facades, now)

    def next_step(self, now: datetime, factors: Mapping[str, FacadeFactor]) -> Array:
        """(R, 2) W in the step that begins now, as `known_at` has it for rooms with one facade."""
        at = int(self._times.searchsorted(pd.Timestamp(now)))
        if at >= len(self._times) or self._times[at] != now:
            return np.full(self._sun.shape[1:], np.nan)
        told = [factors[name].factor if name in factors else None for name in self._facade]
        weight = 1 - STEP / 2 / NOWCAST_SPAN
        scale = np.array([1.0 if factor is None else 1 + (factor - 1) * weight for factor in told])
        return np.asarray(self._sun[at] * scale[:, None])

    def known_at(self, now: datetime, factors: Mapping[str, FacadeFactor]) -> pd.DataFrame:
        """The issue's gains with those of the next hours corrected by what the facade sensors say."""
        if all(each.factor is None for each in factors.values()):
            return self._gains
        near = room_gains(self._site, nowcast(self._site, self._panes, factors, now))
        rest = self._gains[~self._gains["valid_time"].isin(near["valid_time"])]
        return pd.concat([near, rest], ignore_index=True)


def room_rows(site: Site, observation: Observation) -> pd.DataFrame:
    """An observation as rows of the room table, the building's included, stamped with the start of its window."""
    rows: list[dict[str, object]] = []
    start = observation.time - STEP
    groups = {room: group for group in site.shade_groups.values() for room in group.rooms}
    for room in site.room_ids:
        reading = observation.rooms[room]
        row: dict[str, object] = {"room": room, "timestamp": start}
        row |= {quantity: getattr(reading, name) for name, quantity in _AS_IS.items()}
        row |= {quantity: 100 * getattr(reading, name) for name, quantity in _PERCENT.items()}
        feedback = groups[room].feedback if room in groups else None
        if feedback is not None:
            row[feedback.quantity] = feedback.open_at + reading.shade_position * (feedback.closed_at - feedback.open_at)
        rows.append(row)
    water = [reading.supply_water for reading in observation.rooms.values()]
    building = {
        "room": BUILDING,
        "timestamp": start,
        "outdoor_temperature": observation.outdoor_temperature,
        site.wind.quantity: observation.wind_speed,
        "heating_supply_temperature": max((w for w in water if np.isfinite(w)), default=np.nan),
    }
    return pd.DataFrame([*rows, building | _facade_sun(site, observation)])


def _facade_sun(site: Site, observation: Observation) -> dict[str, float]:
    """What each facade's sun sensor reads, by its quantity: the mean of the rooms behind it."""
    told = {}
    for name, facade in site.facades.items():
        rooms = [room.id for room in site.rooms if any(window.facade == name for window in room.windows)]
        sun = np.array([observation.rooms[room].facade_irradiance for room in rooms])
        if facade.sun_sensor is not None and np.isfinite(sun).any():
            told[facade.sun_sensor.quantity] = float(np.nanmean(sun))
    return told
