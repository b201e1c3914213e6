"""When somebody has moved a shade by hand: it left the position that it was told, while it was told nothing new.

The hand is respected for the site's override_minutes or until nobody has been seen for a while, and no longer than
until the hand puts the shade back or somebody releases it (`esus release ROOM`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.measured import PRESENCE
from esus_pipeline.control.rules import Rule
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import ShadeFeedback, Site

AGREES = 0.25
"""Of the shade's travel; a smaller difference is no move."""
GONE = timedelta(minutes=30)
"""A room in which nobody was seen for so long has been left."""


@dataclass(frozen=True)
class Override:
    """A hand on a shade."""

    position: float
    """Where it was put, 0 open .. 1 closed."""
    since: datetime
    """Start of the 15 minutes in which it was moved."""
    until: datetime
    """When the plan takes over again."""


def overrides(
    site: Site,
    commanded: pd.DataFrame,
    observed: pd.DataFrame,
    as_of: datetime,
    released: Mapping[str, datetime] | None = None,
) -> dict[str, Override]:
    """Overrides that are in force at `as_of`, by room; none on a site whose plan nobody carries out.

    Args:
        site: the building.
        commanded: rows of frames.SHADE_SETPOINT_SCHEDULE that were in force: of each earlier plan the rows whose
            valid_time is its issued_at.
        observed: rows of the room table, the building's included. The row that starts at T tells where the shade
            stood at the end of the 15 minutes that the command of T was for.
        as_of: when the next plan begins.
        released: when a room's override was last ended by somebody.
    """
    if site.control.mode != "active" or not len(commanded) or not len(observed):
        return {}
    hold = timedelta(minutes=site.control.override_minutes)
    times = pd.date_range(as_of - hold - 4 * STEP, as_of - STEP, freq=STEP)
    found = {}
    for group in site.shade_groups.values():
        if group.feedback is None:
            continue
        for room in group.rooms:
            track = _track(room, commanded, observed, times, group.feedback)
            override = track.override(hold)
            end = (released or {}).get(room)
            if override and override.until > as_of and not (end and end >= override.since):
                found[room] = override
    return found


@dataclass(frozen=True)
class _Track:
    """One room on the 15-minute grid: what was told, by which rule, what was seen."""

    times: pd.DatetimeIndex
    told: npt.NDArray[np.float64]
    rules: npt.NDArray[np.object_]
    seen: npt.NDArray[np.float64]
    present: npt.NDArray[np.float64]

    def override(self, hold: timedelta) -> Override | None:
        current: Override | None = None
        agreed = np.abs(self.seen - self.told) < AGREES
        for now in range(1, len(self.times)):
            if np.isnan(self.seen[now]):
                continue
            since = self.times[now].to_pydatetime()
            if current is not None:
                moved = abs(self.seen[now] - current.position) >= AGREES
                if moved or since >= current.until or self._left(now):
                    current = None
            elif self._quiet(now) and agreed[now - 1] and not agreed[now]:
                current = Override(float(self.seen[now]), since, since + hold)
        return current

    def _quiet(self, now: int) -> bool:
        """Whether the shade was told the same as before."""
        return bool(self.told[now] == self.told[now - 1]) and self.rules[now] != Rule.MANUAL

    def _left(self, now: int) -> bool:
        back = int(GONE / STEP)
        last = self.present[max(0, now - back + 1) : now + 1]
        return len(last) == back and bool((last == 0).all())


def _track(
    room: str, commanded: pd.DataFrame, observed: pd.DataFrame, times: pd.DatetimeIndex, feedback: ShadeFeedback
) -> _Track:
    own = commanded[commanded["room"] == room].drop_duplicates("valid_time", keep="last").set_index("valid_time")
    told = own.reindex(times)

    def column(place: str, quantity: str) -> npt.NDArray[np.float64]:
        if quantity not in observed.columns:
            return np.full(len(times), np.nan)
        rows = observed[observed["room"] == place].drop_duplicates("timestamp", keep="last").set_index("timestamp")
        return rows[quantity].reindex(times).to_numpy(dtype=float)

    reading = column(room, feedback.quantity)
    reading = np.where(np.isnan(reading), column(BUILDING, feedback.quantity), reading)
    return _Track(
        times=times,
        told=told["shade_position"].to_numpy(dtype=float),
        rules=told["rule"].to_numpy(dtype=object),
        seen=feedback.position(reading),
        present=column(room, PRESENCE),
    )
