"""The product's own controller in the loop: the same functions that the assets call, on what a plant says.

Belongs here: turning observations into the tables that the pipeline would hold, and a plan's first step into commands.
Does not belong here: any decision.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.protocol import Command, Observation
from esus_pipeline.control.inputs import PlanInputs, shade_states
from esus_pipeline.control.planner import Planner
from esus_pipeline.frames import BUILDING
from esus_pipeline.site import Site
from esus_pipeline.solar import pane_gains, room_gains

_PERCENT = {"radiator_valve": "radiator_valve", "damper": "damper_position"}
"""Reading 0..1 -> quantity of the room table in percent."""
_AS_IS = {"air_temperature": "air_temperature", "co2": "co2", "presence": "occupancy", "window_open": "window_open"}
_TOLD = ("shade_position", "heating_setpoint", "cooling_setpoint")
_KEPT = timedelta(hours=48)


class Optimal:
    """Plans every 15 minutes on what the plant said so far and carries out the plan's first step."""

    def __init__(self, site: Site) -> None:
        self._site, self._planner = site, Planner()
        self._commanded: list[pd.DataFrame] = []
        self._issue: tuple[pd.Timestamp, pd.Timestamp, pd.DataFrame] | None = None

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        now = observation.time
        plan = self._planner.plan(
            PlanInputs(
                site=self._site,
                as_of=now,
                forecast=observation.forecast,
                gains=self._gains(observation.forecast),
                rooms=room_rows(self._site, observation),
                wind_age=None if np.isnan(observation.wind_speed) else timedelta(0),
                shades=shade_states(self._told(now), now, self._site.zone),
                people=observation.people,
                prices=observation.prices,
            )
        ).schedule
        first = plan[plan["valid_time"] == pd.Timestamp(now)]
        self._commanded.append(first)
        told = zip(*(first[name].to_numpy(dtype=float) for name in _TOLD), strict=True)
        return {str(room): Command(*values) for room, values in zip(first["room"], told, strict=True)}

    def _told(self, now: datetime) -> pd.DataFrame:
        """What was commanded in the last two days."""
        self._commanded = self._commanded[-int(_KEPT / timedelta(minutes=15)) :]
        return pd.concat(self._commanded) if self._commanded else pd.DataFrame()

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
    start = observation.time - timedelta(minutes=15)
    for room in site.room_ids:
        reading = observation.rooms[room]
        row: dict[str, object] = {"room": room, "timestamp": start}
        row |= {quantity: getattr(reading, name) for name, quantity in _AS_IS.items()}
        row |= {quantity: 100 * getattr(reading, name) for name, quantity in _PERCENT.items()}
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
