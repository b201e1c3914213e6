"""The product's own controller in the loop: the same functions that the assets call, on what a plant says.

Belongs here: turning observations into the tables that the pipeline would hold, and a plan's first step into commands.
Does not belong here: any decision.
"""

from collections import deque
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.protocol import Command, Observation
from esus_pipeline.control.inputs import PlanInputs, RoomState, shade_states
from esus_pipeline.control.model import RoomModel, estimate, room_history
from esus_pipeline.control.optimiser import current
from esus_pipeline.control.override import Override, overrides
from esus_pipeline.control.planner import Planner
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import Site
from esus_pipeline.solar import pane_gains, room_gains

_PERCENT = {"radiator_valve": "radiator_valve", "cooling_valve": "cooling_valve", "damper": "damper_position"}
"""Reading 0..1 -> quantity of the room table in percent."""
_AS_IS = {"air_temperature": "air_temperature", "co2": "co2", "presence": "occupancy", "window_open": "window_open"}
_TOLD = ("shade_position", "heating_setpoint", "cooling_setpoint")
_MEMORY = timedelta(hours=48)
"""How far back readings, sun and commands are remembered."""


class Optimal:
    """Plans every 15 minutes on what the plant said so far and carries out the plan's first step."""

    def __init__(self, site: Site) -> None:
        self._site, self._planner = site, Planner()
        self._models = {room: RoomModel.from_site(site, room) for room in site.room_ids}
        steps = int(_MEMORY / STEP)
        self._commanded: pd.DataFrame | None = None
        self._readings: deque[pd.DataFrame] = deque(maxlen=steps)
        self._issue: tuple[pd.Timestamp, pd.Timestamp, pd.DataFrame] | None = None
        self._sun: deque[pd.DataFrame] = deque(maxlen=steps)
        self._sky: deque[pd.DataFrame] = deque(maxlen=steps)

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        now = observation.time
        gains = self._gains(observation.forecast)
        rows = room_rows(self._site, observation)
        self._remember(observation, gains, rows)
        commanded = self._commanded if self._commanded is not None else pd.DataFrame()
        renew = not current(self._planner.optimum, now)
        plan = self._planner.plan(
            PlanInputs(
                site=self._site,
                as_of=now,
                forecast=observation.forecast,
                gains=gains,
                rooms=rows,
                wind_age=None if np.isnan(observation.wind_speed) else timedelta(0),
                shades=shade_states(commanded, now, self._site.zone),
                overrides=self._overrides(commanded, now),
                models=self._models,
                states=self._states() if renew else {},
                people=observation.people,
                prices=observation.prices,
            )
        ).schedule
        first = plan[plan["valid_time"] == pd.Timestamp(now)]
        self._commanded = pd.concat([commanded, first]).tail(int(_MEMORY / STEP) * len(first))
        told = zip(*(first[name].to_numpy(dtype=float) for name in _TOLD), strict=True)
        return {str(room): Command(*values) for room, values in zip(first["room"], told, strict=True)}

    def _remember(self, observation: Observation, gains: pd.DataFrame | None, rows: pd.DataFrame) -> None:
        """The readings of the step that ended, with the sun and the weather that the newest forecast gave it."""
        self._readings.append(rows)
        start = pd.Timestamp(observation.time - STEP)
        if gains is not None and observation.forecast is not None:
            self._sun.append(gains[gains["valid_time"] == start])
            self._sky.append(observation.forecast[observation.forecast["valid_time"] == start])

    def _states(self) -> dict[str, RoomState]:
        """How every room is now, by its model's Kalman filter; none before an hour was seen."""
        if len(self._sun) < 4:
            return {}
        rooms, sun, sky = (pd.concat(parts, ignore_index=True) for parts in (self._readings, self._sun, self._sky))
        states = {}
        for room, model in self._models.items():
            try:
                last = estimate(model, room_history(self._site, room, rooms, sky, sun)).last
            except ValueError:
                continue
            states[room] = RoomState(float(last.x[0]), float(last.x[1]), float(last.disturbance))
        return states

    def _overrides(self, commanded: pd.DataFrame, now: datetime) -> Mapping[str, Override]:
        if commanded.empty:
            return {}
        recent = list(self._readings)[-16:]
        return overrides(self._site, commanded, pd.concat(recent, ignore_index=True), now)

    def _gains(self, forecast: pd.DataFrame | None) -> pd.DataFrame | None:
        """frames.SOLAR_GAIN of a forecast, computed once an issue."""
        if forecast is None or forecast.empty:
            return None
        issue = forecast["issued_at"].max(), forecast["valid_time"].max()
        if self._issue is None or self._issue[:2] != issue:
            self._issue = (*issue, room_gains(self._site, pane_gains(self._site, forecast)))
        return self._issue[2]


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
