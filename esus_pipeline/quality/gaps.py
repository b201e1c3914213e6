"""The ledger of gaps: silences longer than a point's rhythm allows, kept until late data heals them.

Belongs here: finding gaps in what was heard and bringing the ledger up to date. Does not belong here: the state of a
window (see states).
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import GAP, STEP
from esus_pipeline.instants import NEVER, Ints, instants, length, microseconds
from esus_pipeline.quality.bounds import Bounds
from esus_pipeline.quality.heard import Heard
from esus_pipeline.quality.states import FINAL
from esus_pipeline.site import Site

LATE, MISSING, HEALED = "late", "missing", "healed"

_WINDOW = length(STEP)
_NONE: Ints = np.empty(0, dtype=np.int64)

REVISION = timedelta(hours=12)
"""Gaps that ended within this before a window are looked at again with it: by then they are final."""


def gaps(site: Site, heard: Heard, bounds: Bounds, start: datetime, end: datetime) -> pd.DataFrame:
    """Gaps (point_id, gap_start, gap_end, first_seen) that were open at some time in [start - REVISION, end).

    A silence that lasts is a gap when it is too long by the clock: where the whole controller is late, that is
    provisional like everything else.
    """
    until, since = _micros(end), _micros(start - REVISION)
    begins, stops, seen, ids = [], [], [], []
    for row, (point, stamps) in enumerate(zip(site.point_ids, heard.stamps(until), strict=True)):
        limits = bounds.of(row)
        edges = np.r_[stamps, until]
        long = np.flatnonzero((edges[1:] > since) & (np.diff(edges) > limits.points.min()))
        for at in long:
            begin, stop = edges[at], edges[at + 1]
            grid = np.arange(begin // _WINDOW + 1, -(-stop // _WINDOW) + 1) * _WINDOW
            used = limits.used(np.full((len(grid), 1), begin), np.minimum(grid, stop)[:, None])[:, 0]
            if used.max(initial=0) > 1:
                begins.append(begin)
                stops.append(NEVER if at + 1 == len(stamps) else stop)
                seen.append(grid[used > 1][0])
                ids.append(point)
    columns = {"gap_start": begins, "gap_end": stops, "first_seen": seen}
    table = pd.DataFrame({name: instants(np.array(values, dtype=np.int64)) for name, values in columns.items()})
    table.insert(0, "point_id", np.array(ids, dtype=np.int64))
    return table


def ledger(stored: pd.DataFrame, found: pd.DataFrame, heard: Heard, site: Site, end: datetime) -> pd.DataFrame:
    """Rows of frames.GAP to write: the gaps found, and stored ones that have readings inside by now.

    Args:
        stored: rows of the ledger that touch the span that `found` speaks of.
        found: what `gaps` gave.
        heard: what it was given.
        site: the building.
        end: end of the last window; what was silent for FINAL by then is lost.
    """
    rows = found.copy()
    ended = rows["gap_end"].fillna(rows["gap_start"])
    rows["state"] = np.where(pd.Timestamp(end) - ended > FINAL, MISSING, LATE)
    rows["healed_at"] = instants(np.full(len(rows), NEVER))
    return pd.concat([GAP.conform(rows), _settled(stored, found, heard, site, end)], ignore_index=True)


def _settled(stored: pd.DataFrame, found: pd.DataFrame, heard: Heard, site: Site, end: datetime) -> pd.DataFrame:
    """Stored gaps that are no longer found: healed where they hold readings now, final where they are old enough.

    A gap without an end was silent until it was first seen at least: what was stamped later ends it and heals nothing.
    """
    key = ["point_id", "gap_start"]
    rest = stored[
        (stored["state"] == LATE) | ((stored["state"] == MISSING) & (stored["gap_start"] < pd.Timestamp(end)))
    ]
    rest = rest[~pd.MultiIndex.from_frame(rest[key]).isin(pd.MultiIndex.from_frame(found[key]))]
    stamps = dict(zip(site.point_ids, heard.stamps(_micros(end)), strict=True))
    begin, seen, stop = (microseconds(rest[name]) for name in ("gap_start", "first_seen", "gap_end"))
    after = [_after(stamps.get(point, _NONE), at) for point, at in zip(rest["point_id"], begin, strict=True)]
    spoke = np.array(after, dtype=np.int64)
    filled = (spoke != NEVER) & (spoke < np.where(stop == NEVER, seen, stop))
    healed = rest[filled].assign(state=HEALED, healed_at=pd.Timestamp(end))
    ended = np.where(stop == NEVER, spoke, stop)
    final = (rest["state"] == LATE) & (ended != NEVER) & (_micros(end) - ended > length(FINAL))
    lost = rest.assign(gap_end=instants(ended), state=rest["state"].mask(final, MISSING))
    return pd.concat([GAP.conform(healed), GAP.conform(lost[~filled & (final | (ended != stop))])], ignore_index=True)


def _after(stamps: Ints, begin: np.int64) -> np.int64:
    """The first stamp after `begin`, NEVER if there is none."""
    return np.int64(np.append(stamps, NEVER)[np.searchsorted(stamps, begin, side="right")])


def _micros(instant: datetime) -> np.int64:
    return microseconds(pd.DatetimeIndex([instant]))[0]
