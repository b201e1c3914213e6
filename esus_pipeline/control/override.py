"""When somebody has moved a shade by hand: it left the position that it was told, while it was told nothing new.

Or it was told to move and stands where it stood before. The hand is respected for the site's override_minutes or until
nobody has been seen for a while, and no longer than until the hand puts the shade back or somebody releases it
(`esus release ROOM`). A hand that moves it again, elsewhere, is respected anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.measured import PRESENCE, RELEASED
from esus_pipeline.control.rules import Rule
from esus_pipeline.frames import BUILDING, STEP
from esus_pipeline.site import ShadeFeedback, Site

AGREES = 0.25
"""Of the shade's travel; a smaller difference is no move."""
GONE = timedelta(minutes=30)
"""A room in which nobody was seen for so long has been left."""
MEMORY = timedelta(hours=25)
"""How far back hands are looked for: longer than a site may hold one, and one may follow another."""
BEFORE = 4
"""Steps before a hand (1 hour) in which a move that it undoes is looked for."""
FORCED = frozenset({Rule.PROTECTED, Rule.WIND})
"""Rules against which no hand counts."""
NO_UNDOING = FORCED | {Rule.MANUAL}
"""Rules whose moves no hand is taken to undo: of the wind, and of a hand that is respected already."""


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
    times = pd.date_range(as_of - MEMORY, as_of - STEP, freq=STEP)
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
    released: npt.NDArray[np.float64]
    """0 where the building's own wind protection holds the shades up."""

    def override(self, hold: timedelta) -> Override | None:
        current, planned = None, np.nan
        for now in range(1, len(self.times)):
            if np.isnan(self.seen[now]):
                continue
            if current is not None:
                if self.times[now] >= current.until or self._left(now):
                    current = None
                elif abs(self.seen[now] - current.position) >= AGREES:
                    current = self._put(now, now, hold) if self._again(now, planned) else None
            elif (first := self._moved(now)) is not None:
                current, planned = self._put(first, now, hold), self.told[first]
        return current

    def _put(self, first: int, now: int, hold: timedelta) -> Override:
        """The hand of the step `first`, which left the shade where it stands after the step `now`."""
        since = self.times[first].to_pydatetime()
        return Override(float(self.seen[now]), since, since + hold)

    def _again(self, now: int, planned: float) -> bool:
        """Whether a shade that leaves the position in which a hand had put it was moved by a hand, and not put back."""
        elsewhere = min(abs(self.seen[now] - self.told[now]), abs(self.seen[now] - planned)) >= AGREES
        return elsewhere and self.rules[now] not in FORCED and not self.released[now] < 1

    def _moved(self, now: int) -> int | None:
        """The step in which a hand moved the shade, as far as the readings until `now` tell."""
        if self.told[now] != self.told[now - 1] or self.released[now] < 1:
            return None
        before, after = np.abs(self.seen[now - 1 : now + 1] - self.told[now]) < AGREES
        if before and not after and self.rules[now] != Rule.MANUAL:
            return now
        return now - 1 if self._undone(now) else None

    def _undone(self, now: int) -> bool:
        """Whether the shade stood at the ends of two steps in a row where it was told to be before its last move.

        One step proves nothing, because a command may be carried out late. A hand that undoes a move within its
        15 minutes looks the same as an actuator that does not obey: in both cases it is right to leave the shade where
        it is for a while. Where nobody was seen, no hand was.
        """
        steps = slice(now - 1, now + 1)
        earlier = self.told[max(0, now - 1 - BEFORE) : now]
        others = earlier[earlier != self.told[now]]
        excused = not NO_UNDOING.isdisjoint(self.rules[steps]) or (self.released[steps] < 1).any()
        if not len(others) or excused or self._left(now):
            return False
        former = np.abs(self.seen[steps] - others[-1]) < AGREES
        elsewhere = np.abs(self.seen[steps] - self.told[now]) >= AGREES
        return bool((former & elsewhere).all())

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
        released=column(BUILDING, RELEASED),
    )
