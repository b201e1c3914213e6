"""The stored past of all rooms of a site, read once: room table, weather and sun as they turned out.

Belongs here: what to read and how to reduce it, day by day, so that memory grows with the span and not with the number
of forecasts that were ever issued for it. Does not belong here: the inputs of one room (see history).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.model.history import (
    Around,
    History,
    gains_of_the_past,
    quantities,
    room_history,
    weather_of_the_past,
)
from esus_pipeline.control.model.room_model import RoomModel
from esus_pipeline.frames import BUILDING, SOLAR_GAIN, STEP, WEATHER_FORECAST, Frame
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site

ISSUED_BEFORE = timedelta(hours=48)
"""How long before the span issues are read that may speak of its first hours."""

_SUN = ["gain_open", "gain_shaded"]


@dataclass(frozen=True)
class Past:
    """What is known of a span of time, on one grid of 15 minutes; a frame has a row per step."""

    site: Site
    grid: pd.DatetimeIndex
    """Starts of the steps, UTC; empty where nothing is stored."""
    rooms: Mapping[str, pd.DataFrame]
    """Rows of the room table by room; a room or a building without any is absent."""
    weather: pd.DataFrame
    """temp_air (degC)."""
    sun: Mapping[str, pd.DataFrame]
    """gain_open and gain_shaded by room, as in frames.SOLAR_GAIN."""

    @classmethod
    def of(cls, site: Site, rooms: pd.DataFrame, weather: pd.DataFrame, gains: pd.DataFrame) -> "Past":
        """The same span as the rows of the room table.

        Args:
            site: the building.
            rooms: rows of the room table, the building's included.
            weather: one row per valid_time, as `weather_of_the_past` gives.
            gains: one row per room and valid_time, as `gains_of_the_past` gives.
        """
        used = sorted(quantities(site) & set(rooms.columns))
        times = pd.DatetimeIndex(rooms["timestamp"])
        grid = pd.date_range(times.min(), times.max(), freq=STEP) if len(times) else times

        def gridded(rows: pd.DataFrame, time: str, columns: list[str]) -> pd.DataFrame:
            return rows.set_index(time)[columns].astype(float).reindex(grid)

        return cls(
            site=site,
            grid=pd.DatetimeIndex(grid),
            rooms={str(room): gridded(rows, "timestamp", used) for room, rows in rooms.groupby("room")},
            weather=gridded(weather, "valid_time", ["temp_air"]),
            sun={room: gridded(gains[gains["room"] == room], "valid_time", _SUN) for room in site.room_ids},
        )

    def before(self, instant: datetime) -> "Past":
        """The part that was known at an instant."""
        steps = int(self.grid.searchsorted(pd.Timestamp(instant)))
        rooms, sun = ({room: rows.iloc[:steps] for room, rows in frames.items()} for frames in (self.rooms, self.sun))
        return Past(self.site, self.grid[:steps], rooms, self.weather.iloc[:steps], sun)

    @cached_property
    def building_temperature(self) -> float | None:
        """Mean temperature of all rooms, degC; None where none was measured."""
        measured = [rows for room, rows in self.rooms.items() if room != BUILDING and "air_temperature" in rows]
        mean = pd.concat(measured)["air_temperature"].mean() if measured else float("nan")
        return None if pd.isna(mean) else float(mean)

    def history(self, room_id: str) -> History | None:
        """The past of a room; None where nothing is stored of it or of the building."""
        if not len(self.grid) or not {room_id, BUILDING} & set(self.rooms):
            return None
        return room_history(self.site, room_id, self._stored(room_id), self.sun[room_id], self._around)

    @cached_property
    def _around(self) -> Around:
        return Around.of(self.grid[0].to_pydatetime(), self._stored(BUILDING), self.weather)

    def _stored(self, room: str) -> pd.DataFrame:
        return self.rooms.get(room, pd.DataFrame(index=self.grid))

    def prior(self, room_id: str) -> RoomModel:
        """What is assumed of a room, in a building as warm as this one was."""
        model = RoomModel.from_site(self.site, room_id)
        warmth = self.building_temperature
        return model if warmth is None else model.with_parameters({"building_temperature": warmth})


def read_past(archive: Archive, site: Site, start: datetime, end: datetime) -> Past:
    """What is stored of [start, end); of weather and sun what was known last when each step had passed."""
    frame = room_frame(site)
    columns = [name for name in frame.schema.names if name in {"room", "timestamp", *quantities(site)}]
    rooms = archive.read(frame, start, end, columns=columns)
    forecasts = _newest(archive, WEATHER_FORECAST, ["valid_time"], start, end)
    gains = _newest(archive, SOLAR_GAIN, ["room", "valid_time"], start, end)
    weather = weather_of_the_past(site, rooms, forecasts)
    return Past.of(site, rooms, weather, gains_of_the_past(site, weather, gains))


def _newest(archive: Archive, frame: Frame, what: Sequence[str], start: datetime, end: datetime) -> pd.DataFrame:
    newest = frame.empty()
    for _, day in archive.read_days(frame, start - ISSUED_BEFORE, end):
        inside = day[(day["valid_time"] >= start) & (day["valid_time"] < end)]
        inside = inside[inside["issued_at"] <= inside["valid_time"] + STEP]
        both = pd.concat([newest, inside.sort_values("issued_at")], ignore_index=True) if len(newest) else inside
        newest = both.sort_values("issued_at", kind="stable").drop_duplicates(list(what), keep="last")
    return newest.sort_values(list(what), ignore_index=True)
