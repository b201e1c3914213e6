"""What is stored of a day, as the inputs of its plans: nothing that was not known when a plan was issued.

Belongs here: what to read for the plans of a day, and what of it each plan may use. Does not belong here: planning.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.inputs import PlanInputs, RoomState, shade_states
from esus_pipeline.control.model.now import Now
from esus_pipeline.control.model.occupancy_table import expected_by_room
from esus_pipeline.control.override import MEMORY as HAND_MEMORY
from esus_pipeline.control.override import overrides
from esus_pipeline.control.setpoints import told_setpoints
from esus_pipeline.frames import BUILDING, CLEAN_SERIES, OVERRIDE_RELEASE, ROOM_SOURCES, STEP
from esus_pipeline.prices import known_prices, stored_prices
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site
from esus_pipeline.solar import Estimates, stored_gains
from esus_pipeline.weather import Issues, steering_age, stored_forecasts

WIND_LOOK_BACK = timedelta(hours=1)

WIND_MEMORY = timedelta(hours=6)
"""How far back a strong wind is remembered."""


@dataclass(frozen=True)
class Stored:
    """Stored rows that the plans of one day draw on."""

    site: Site
    issues: Issues
    gains: Estimates
    rooms: pd.DataFrame
    """Rows of the room table, by ascending timestamp."""
    sources: pd.DataFrame
    """Rows of frames.ROOM_SOURCES, by ascending timestamp."""
    wind_stamps: pd.Series
    prices: pd.DataFrame
    releases: pd.DataFrame

    def _released(self, as_of: datetime) -> dict[str, datetime]:
        """When each room's override was last ended by somebody."""
        if self.releases.empty:
            return {}
        known = self.releases[self.releases["released_at"] <= as_of]
        return {str(room): at.to_pydatetime() for room, at in known.groupby("room")["released_at"].max().items()}

    def _past_wind(self, as_of: datetime) -> "pd.Series[float]":
        """What the building's own sensor read in the hours before `as_of`, by start of the window."""
        return self._wind.loc[as_of - WIND_MEMORY : as_of - STEP]

    @cached_property
    def _wind(self) -> "pd.Series[float]":
        quantity = self.site.wind.quantity
        rows = self.rooms[self.rooms["room"] == BUILDING].set_index("timestamp")
        return rows[quantity] if quantity in rows else pd.Series(dtype=float, index=rows.index)

    @cached_property
    def _times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.rooms["timestamp"])

    @cached_property
    def _source_times(self) -> pd.DatetimeIndex:
        return pd.DatetimeIndex(self.sources["timestamp"])

    def inputs(self, as_of: datetime, commanded: pd.DataFrame, told: Now | None = None) -> PlanInputs:
        """What a plan issued at `as_of` may use, after the commands of the plans before it.

        `told` is what is known of the rooms, for a plan that makes a new optimum; without it, prices are left out too.
        """
        known = told or Now()
        newest = _window(self._times, as_of)
        stamps = self.wind_stamps[self.wind_stamps < as_of]
        forecast = self.issues.known_at(as_of)
        return PlanInputs(
            site=self.site,
            as_of=as_of,
            forecast=forecast,
            forecast_age=steering_age(forecast, as_of),
            gains=self.gains.known_at(as_of),
            rooms=self.rooms.iloc[newest],
            sources=self.sources.iloc[_window(self._source_times, as_of)],
            wind_age=as_of - stamps.max() if len(stamps) else None,
            past_wind=self._past_wind(as_of),
            prices=known_prices(self.site, self.prices, as_of) if told else None,
            shades=shade_states(commanded, as_of, self.site.zone),
            told=told_setpoints(commanded, as_of),
            overrides=overrides(self.site, commanded, self.rooms.iloc[: newest.stop], as_of, self._released(as_of)),
            models=known.models,
            states={room: RoomState.of(state) for room, state in known.states.items()},
            people=expected_by_room(known.people) if known.people is not None else None,
        )


def _window(times: pd.DatetimeIndex, as_of: datetime) -> slice:
    """Where in ascending times the window that ends at `as_of` stands."""
    return slice(*times.searchsorted([pd.Timestamp(as_of - STEP), pd.Timestamp(as_of)]))


def read_stored(site: Site, archive: Archive, ends: Sequence[datetime]) -> Stored:
    """What plans issued at `ends`, the ends of windows of one UTC day in a row, draw on."""
    start, end = ends[0] - STEP, ends[-1]
    wind = archive.read(
        CLEAN_SERIES,
        start - WIND_LOOK_BACK,
        end,
        columns=["timestamp"],
        quantity=[site.wind.quantity],
        quality=["good"],
    )
    rooms = archive.read(room_frame(site), start - HAND_MEMORY, end)
    sources = archive.read(ROOM_SOURCES, start, end)
    return Stored(
        site=site,
        issues=Issues(stored_forecasts(archive, ends)),
        gains=Estimates(stored_gains(archive, ends)),
        rooms=rooms.sort_values("timestamp", kind="stable", ignore_index=True),
        sources=sources.sort_values("timestamp", kind="stable", ignore_index=True),
        wind_stamps=wind["timestamp"],
        prices=stored_prices(archive, ends),
        releases=archive.read(OVERRIDE_RELEASE, start - HAND_MEMORY, end + STEP),
    )
