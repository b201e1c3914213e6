"""The product's own controller in the loop: the same functions that the assets call, on what a plant says.

Belongs here: turning observations into the tables that the pipeline would hold, and a plan's first step into commands.
Does not belong here: any decision.
"""

from collections import deque
from collections.abc import Mapping
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.evaluation.protocol import Command, Observation
from esus_pipeline.control.inputs import PlanInputs, RoomState, shade_states
from esus_pipeline.control.model import History, RoomModel, estimate
from esus_pipeline.control.model.people import people_present
from esus_pipeline.control.model.room_model import SUPPLY_AIR
from esus_pipeline.control.optimiser import current
from esus_pipeline.control.override import Override, overrides
from esus_pipeline.control.planner import Planner
from esus_pipeline.control.setpoints import told_setpoints
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Site
from esus_pipeline.solar import pane_gains, room_gains

_PERCENT = {"radiator_valve": "radiator_valve", "cooling_valve": "cooling_valve", "damper": "damper_position"}
"""Reading 0..1 -> quantity of the room table in percent."""
_AS_IS = {"air_temperature": "air_temperature", "co2": "co2", "presence": "occupancy", "window_open": "window_open"}
_TOLD = ("shade_position", "heating_setpoint", "cooling_setpoint")
_COMMAND = ["issued_at", "room", "valid_time", "shade_position", "heating_setpoint", "cooling_setpoint", "rule"]
_ELSEWHERE = 0.1
"""Of a shade's travel."""
_WIND_MEMORY = timedelta(hours=6) // STEP
_DAY = timedelta(days=1) // STEP
_MEMORY = timedelta(hours=36)
"""How far back readings and sun are remembered."""


class Optimal:
    """Plans every 15 minutes on what the plant said so far and carries out the plan's first step."""

    def __init__(self, site: Site) -> None:
        self._site, self._planner = site, Planner()
        self._models = {room: RoomModel.from_site(site, room) for room in site.room_ids}
        steps = int(_MEMORY / STEP)
        self._commanded = pd.DataFrame()
        self._told: dict[str, float] = {}
        self._left = -1
        self._readings: deque[pd.DataFrame] = deque(maxlen=_DAY)
        self._issue: tuple[pd.Timestamp, pd.Timestamp, pd.DataFrame] | None = None
        self._sun_at: dict[str, dict[np.datetime64, tuple[float, float]]] = {}
        self._past: dict[str, deque[_Step]] = {room: deque(maxlen=steps) for room in site.room_ids}

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        now = observation.time
        gains = self._gains(observation.forecast)
        rows = room_rows(self._site, observation)
        self._readings.append(rows)
        self._remember(observation, gains)
        renew = not current(self._planner.optimum, now)
        plan = self._planner.plan(
            PlanInputs(
                site=self._site,
                as_of=now,
                forecast=observation.forecast,
                gains=gains,
                rooms=rows,
                wind_age=None if np.isnan(observation.wind_speed) else timedelta(0),
                past_wind=self._past_wind(),
                shades=shade_states(self._commanded, now, self._site.zone),
                overrides=self._overrides(observation),
                told=told_setpoints(self._commanded, now),
                models=self._models,
                states=self._states() if renew else {},
                people=observation.people,
                prices=observation.prices,
            )
        ).schedule
        first = plan[plan["valid_time"] == pd.Timestamp(now)]
        self._commanded = pd.concat([self._commanded, first[_COMMAND]]).tail(_DAY * len(first))
        self._told = dict(zip(first["room"], first["shade_position"], strict=True))
        told = zip(*(first[name].to_numpy(dtype=float) for name in _TOLD), strict=True)
        return {str(room): Command(*values) for room, values in zip(first["room"], told, strict=True)}

    def _remember(self, observation: Observation, gains: pd.DataFrame | None) -> None:
        """The readings of the step that ended, with the sun that the newest forecast gave it."""
        start = np.datetime64((observation.time - STEP).replace(tzinfo=None), "us")
        for room in self._site.room_ids:
            sun = (np.nan, np.nan) if gains is None else self._sun_at[room].get(start, (np.nan, np.nan))
            self._past[room].append((observation, *sun))

    def _past_wind(self) -> "pd.Series[float]":
        """m/s as measured, by start of the step."""
        past = [observation for observation, _, _ in list(self._past[self._site.room_ids[0]])[-_WIND_MEMORY:]]
        starts = pd.DatetimeIndex([observation.time - STEP for observation in past])
        return pd.Series([observation.wind_speed for observation in past], index=starts, dtype=float)

    def _states(self) -> dict[str, RoomState]:
        """How every room is now, by its model's Kalman filter; none before an hour was seen."""
        states = {}
        for room, model in self._models.items():
            try:
                last = estimate(model, self._history(room)).last
            except ValueError:
                continue
            states[room] = RoomState(float(last.x[0]), float(last.x[1]), float(last.disturbance))
        return states

    def _history(self, room: str) -> History:
        """What `room_history` would gather from the tables of these readings, which have no gaps to bridge."""
        past = list(self._past[room])
        facts = self._site.room(room)

        def column(name: str) -> npt.NDArray[np.float64]:
            return np.array([getattr(observation.rooms[room], name) for observation, _, _ in past])

        outdoor = np.array([observation.outdoor_temperature for observation, _, _ in past])
        own = pd.DataFrame(
            {"occupancy": column("presence"), "co2": column("co2"), "damper_position": 100 * column("damper")}
        )
        people = people_present(facts, own)
        damper = column("damper")
        return History(
            room=room,
            start=past[0][0].time - STEP,
            air=column("air_temperature"),
            outdoor=outdoor,
            gain_open=np.array([opened for _, opened, _ in past]),
            gain_shaded=np.array([shaded for _, _, shaded in past]),
            shade=column("shade_position"),
            people=people,
            valve=column("radiator_valve"),
            water=column("supply_water"),
            damper=damper,
            supply_air=np.maximum(outdoor, SUPPLY_AIR),
            window_open=np.nan_to_num(column("window_open")),
            cooling=(facts.cooling_power or 0.0) * np.nan_to_num(column("cooling_valve")),
        )

    def _overrides(self, observation: Observation) -> Mapping[str, Override]:
        """Hands on the shades, looked for as long as one may hold since a shade last stood elsewhere than told."""
        stood = {room: reading.shade_position for room, reading in observation.rooms.items()}
        if any(abs(stood[room] - told) > _ELSEWHERE for room, told in self._told.items()):
            self._left = int(timedelta(minutes=self._site.control.override_minutes) / STEP) + 4
        self._left -= 1
        if self._left < 0 or self._commanded.empty:
            return {}
        return overrides(self._site, self._commanded, pd.concat(list(self._readings)[-24:]), observation.time)

    def _gains(self, forecast: pd.DataFrame | None) -> pd.DataFrame | None:
        """frames.SOLAR_GAIN of a forecast, computed once an issue."""
        if forecast is None or forecast.empty:
            return None
        issue = forecast["issued_at"].max(), forecast["valid_time"].max()
        if self._issue is None or self._issue[:2] != issue:
            gains = room_gains(self._site, pane_gains(self._site, forecast))
            self._issue = (*issue, gains)
            self._sun_at = {str(room): _by_time(rows) for room, rows in gains.groupby("room")}
        return self._issue[2]


_Step = tuple[Observation, float, float]
"""What was seen at the end of a step, and the sun through open and closed shades (W) in it."""


def _by_time(gains: pd.DataFrame) -> dict[np.datetime64, tuple[float, float]]:
    times = pd.DatetimeIndex(gains["valid_time"]).tz_localize(None).to_numpy().astype("datetime64[us]")
    return dict(zip(times, zip(gains["gain_open"], gains["gain_shaded"], strict=True), strict=True))


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
    return pd.DataFrame([*rows, building])
