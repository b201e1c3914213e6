"""Consecutive steps of one room that one sentence explains."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from esus_pipeline.control.forecast_rule import DayDecision
from esus_pipeline.control.inputs import Horizon
from esus_pipeline.control.setpoints import Setpoints
from esus_pipeline.frames import STEP

_WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
LONGEST = 200
"""Characters of a sentence."""
STEP_HOURS = STEP.total_seconds() / 3600


@dataclass(frozen=True)
class Stretch:
    """Consecutive steps first .. last - 1 of one room with the same rule and position."""

    horizon: Horizon
    setpoints: Setpoints
    room: int
    first: int
    last: int
    closed: bool
    closed_before: bool
    decision: DayDecision | None
    """Of the room's group and the day; None for a room without a shade."""

    @property
    def name(self) -> str:
        """The room."""
        return self.horizon.site.room_ids[self.room]

    @property
    def facade(self) -> str:
        """The room's facade in words."""
        names = list(dict.fromkeys(window.facade for window in self.horizon.site.rooms[self.room].windows))
        return f"{' and '.join(names)} facade" + "s" * (len(names) > 1)

    @property
    def decisive_override(self) -> str | None:
        """The room whose shade was moved by hand: this one, or else one that moves with it."""
        return next((room for room in self._together if room in self.horizon.overrides), None)

    @property
    def occupied_room(self) -> str:
        """The room in which somebody is seen: this one, or else one that moves with it."""
        site, present = self.horizon.site, self.horizon.measured.present
        seen = {room for room, share in zip(site.room_ids, present, strict=True) if share > 0}
        return next((room for room in self._together if room in seen), self.name)

    @property
    def _together(self) -> list[str]:
        """This room and those that move with it."""
        groups = self.horizon.site.shade_groups.values()
        others = next((group.rooms for group in groups if self.name in group.rooms), ())
        return [self.name, *(room for room in others if room != self.name)]

    @property
    def lead(self) -> str:
        """How the stretch begins: with a move, or with the shade where it was."""
        if self.closed != self.closed_before:
            return f"{'lowered' if self.closed else 'raised'} at {self.clock(self.first)}"
        state = self.horizon.shades.get(self.name)
        if self.closed and self.first == 0 and state is not None and state.since is not None:
            return f"lowered since {clock_words(state.since.astimezone(self.horizon.site.zone), self.horizon.local[0])}"
        return "kept lowered" if self.closed else "open"

    def clock(self, step: int) -> str:
        """Local time of a step, with the weekday where that is not the stretch's own."""
        return clock_words(self.horizon.local[step], self.horizon.local[self.first])

    def sun(self, room: int, first: int, last: int) -> float:
        """Energy through the open windows of a room in steps first .. last - 1, kWh."""
        return float(np.sum(self.horizon.gain_open[room, first:last])) * STEP_HOURS / 1000


def clock_words(local: datetime, own: datetime) -> str:
    """Clock time, with the weekday where the day is not that of `own`."""
    return f"{local:%H:%M}" if local.date() == own.date() else f"{_WEEKDAYS[local.weekday()]} {local:%H:%M}"
