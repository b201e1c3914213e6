"""The stored past of all rooms of a site, read once: room table, weather and sun as they turned out.

Belongs here: what to read and how to reduce it, day by day, so that memory grows with the span and not with the number
of forecasts that were ever issued for it. Does not belong here: the inputs of one room (see history).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.history import History, gains_of_the_past, room_history, weather_of_the_past
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.frames import BUILDING, SOLAR_GAIN, STEP, WEATHER_FORECAST, Frame
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site

ISSUED_BEFORE = timedelta(hours=48)
"""How long before the span issues are read that may speak of its first hours."""


@dataclass(frozen=True)
class Past:
    """What is known of a span of time; frames as `room_history` takes them."""

    site: Site
    rooms: pd.DataFrame
    weather: pd.DataFrame
    gains: pd.DataFrame

    def before(self, instant: datetime) -> "Past":
        """The part that was known at an instant."""
        weather, gains = (frame[frame["valid_time"] < instant] for frame in (self.weather, self.gains))
        return Past(self.site, self.rooms[self.rooms["timestamp"] < instant], weather, gains)

    @cached_property
    def building_temperature(self) -> float | None:
        """Mean temperature of all rooms, degC; None where none was measured."""
        own = self.rooms[self.rooms["room"] != BUILDING]
        mean = own["air_temperature"].mean() if "air_temperature" in own.columns else float("nan")
        return None if pd.isna(mean) else float(mean)

    def history(self, room_id: str) -> History | None:
        """The past of a room; None where the room table has no row."""
        parts = [self._rooms[name] for name in (room_id, BUILDING) if name in self._rooms]
        if not parts:
            return None
        gains = self._gains.get(room_id, self.gains.iloc[:0])
        return room_history(self.site, room_id, pd.concat(parts), self.weather, gains)

    @cached_property
    def _rooms(self) -> dict[str, pd.DataFrame]:
        return {str(room): rows for room, rows in self.rooms.groupby("room")}

    @cached_property
    def _gains(self) -> dict[str, pd.DataFrame]:
        return {str(room): rows for room, rows in self.gains.groupby("room")}

    def prior(self, room_id: str) -> RoomModel:
        """What is assumed of a room, in a building as warm as this one was."""
        model = RoomModel.from_site(self.site, room_id)
        warmth = self.building_temperature
        return model if warmth is None else model.with_parameters({"building_temperature": warmth})


def read_past(archive: Archive, site: Site, start: datetime, end: datetime) -> Past:
    """What is stored of [start, end); of weather and sun what was known last when each step had passed."""
    rooms = archive.read(room_frame(site), start, end)
    forecasts = _newest(archive, WEATHER_FORECAST, ["valid_time"], start, end)
    gains = _newest(archive, SOLAR_GAIN, ["room", "valid_time"], start, end)
    weather = weather_of_the_past(site, rooms, forecasts)
    return Past(site, rooms, weather, gains_of_the_past(site, weather, gains))


def _newest(archive: Archive, frame: Frame, what: Sequence[str], start: datetime, end: datetime) -> pd.DataFrame:
    newest = frame.empty()
    for _, day in archive.read_days(frame, start - ISSUED_BEFORE, end):
        inside = day[(day["valid_time"] >= start) & (day["valid_time"] < end)]
        inside = inside[inside["issued_at"] <= inside["valid_time"] + STEP]
        both = pd.concat([newest, inside.sort_values("issued_at")], ignore_index=True) if len(newest) else inside
        newest = both.sort_values("issued_at", kind="stable").drop_duplicates(list(what), keep="last")
    return newest.sort_values(list(what), ignore_index=True)
