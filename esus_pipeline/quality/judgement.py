"""The whole way from the archive to the point states and the ledger, one part of a day after the other.

Belongs here: the order of the steps. `read` is anything with the signature of Archive.read. Does not belong here:
the steps.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.frames import GAP
from esus_pipeline.quality import context
from esus_pipeline.quality.bounds import LONGEST, bounds
from esus_pipeline.quality.gaps import REVISION, gaps, ledger
from esus_pipeline.quality.states import judge
from esus_pipeline.readings import Read
from esus_pipeline.site import Site

REVISED: timedelta = REVISION + 2 * LONGEST
"""Judging windows changes no gap that began longer than this before them, but for those that were open then."""


@dataclass
class Walk:
    """A walk through consecutive spans, each within one UTC day; it remembers what was heard before the next one."""

    read: Read
    site: Site
    _before: pd.Series | None = None
    _reached: datetime | None = None

    def judge(self, start: datetime, end: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Point states (frames.POINT_STATE) of the windows in [start, end), and rows of the ledger to merge."""
        rhythm, controllers = context.versions(self.read, start)
        limits = bounds(self.site, rhythm, controllers, self.site.alerts.dead(start.date()))
        before = self._before if self._reached == start else None
        heard = context.heard(self.read, self.site, start, end, rhythm, before)
        states = judge(self.site, heard, limits, start, end)
        stored = self.read(GAP, start - REVISED, end)
        found = gaps(self.site, heard, limits, start, end)
        rows = ledger(stored, found, heard, self.site, end)
        self._before, self._reached = context.newest_at(heard, self.site, end - context.LOOK_BACK), end
        return states, rows
