"""From the archive to what the judgement needs: what was heard, and the versions of the rhythm that are in force.

Belongs here: how much history to read. `read` is anything with the signature of Archive.read. Does not belong here:
judging.
"""

from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.frames import CLEAN_SERIES, CONTROLLER_RHYTHM, RAW_BMS_READINGS, RHYTHM
from esus_pipeline.instants import instants, microseconds
from esus_pipeline.quality.bounds import LONGEST, bounds
from esus_pipeline.quality.heard import ABSURD, Heard
from esus_pipeline.quality.lateness import learn_lateness
from esus_pipeline.quality.rhythm import TRAINING, learn
from esus_pipeline.readings import Read, in_force
from esus_pipeline.site import Site

LOOK_BACK = LONGEST
"""What is read of all points before the first window: a longer silence is too long for every point."""

MEMORY = timedelta(days=31)
"""How far back the newest reading of a silent point is looked for where no rhythm knows it."""

_COLUMNS = ["point_id", "timestamp", "quality"]
_DAY = timedelta(days=1)


def versions(read: Read, day: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rhythm of points and of controllers by which all windows of that UTC day are judged."""
    return in_force(read, RHYTHM, day), in_force(read, CONTROLLER_RHYTHM, day)


def new_versions(read: Read, site: Site, day: datetime) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Rhythm of points and of controllers, learned from TRAINING before that UTC midnight, valid a day after it.

    A day of waiting lets the readings of the last one come in, and lets a version be the same whenever it is made.
    """
    start, valid = day - TRAINING, day + _DAY
    series = read(CLEAN_SERIES, start, day, columns=["point_id", "timestamp", "value", "quality"])
    raw = read(RAW_BMS_READINGS, start, day, columns=["point_id", "timestamp", "received_at"])
    earlier = in_force(read, RHYTHM, day)
    newest = earlier.set_index("point_id")["newest"] if len(earlier) else None
    rhythm = learn(site, series, valid, newest)
    limits = bounds(site, rhythm, dead=site.alerts.dead(valid.date()))
    return rhythm, learn_lateness(site, raw, valid, limits)


def heard(
    read: Read, site: Site, start: datetime, end: datetime, rhythm: pd.DataFrame, before: pd.Series | None = None
) -> Heard:
    """Readings from LOOK_BACK before `start` to `end`, and the newest one of each point before that.

    `before` says what is known of those from the walk through earlier days; else the rhythm does, and for points
    that it does not know the archive is searched back day by day for MEMORY.
    """
    first = start - LOOK_BACK
    readings = read(CLEAN_SERIES, first, end, columns=_COLUMNS)
    if before is None:
        earlier = rhythm.set_index("point_id")["newest"].dropna()
        before = earlier[earlier < first].reindex(site.point_ids)
        before.update(_newest(read, site, readings, rhythm, first))
    spoke = readings.loc[readings["timestamp"] < pd.Timestamp(start), "point_id"]
    return Heard(site.point_ids, readings, before, _absurd(read, before[~before.index.isin(spoke)].dropna()))


def newest_at(heard_: Heard, site: Site, at: datetime) -> pd.Series:
    """Newest stamp of each point before `at`: what the next day of a walk is given as `before`."""
    return pd.Series(instants(heard_.newest(microseconds(pd.DatetimeIndex([at])))[0]), index=list(site.point_ids))


def _absurd(read: Read, newest: pd.Series) -> set[int]:
    """Points, of those given with their newest stamp, whose reading of that stamp cannot be."""
    found: set[int] = set()
    for _, stamps in newest.groupby(newest.dt.floor("D")):
        until = stamps.max().to_pydatetime() + timedelta(microseconds=1)
        rows = read(CLEAN_SERIES, stamps.min().to_pydatetime(), until, columns=_COLUMNS, point_id=sorted(stamps.index))
        wrong = rows[rows["quality"].isin(ABSURD) & (rows["timestamp"] == rows["point_id"].map(stamps))]
        found |= set(wrong["point_id"])
    return found


def _newest(read: Read, site: Site, readings: pd.DataFrame, rhythm: pd.DataFrame, first: datetime) -> pd.Series:
    """Newest stamps before `first` that are younger than what the rhythm knows."""
    found = pd.Series(dtype="datetime64[us, UTC]")
    silent = set(site.point_ids) - set(readings["point_id"])
    oldest = first - MEMORY if rhythm.empty else rhythm["valid_from"].iloc[0].to_pydatetime() - _DAY
    while silent and first > oldest:
        day = (first - timedelta(microseconds=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        rows = read(CLEAN_SERIES, day, first, columns=_COLUMNS[:2], point_id=sorted(silent))
        newest = rows.groupby("point_id")["timestamp"].max()
        found = pd.concat([found, newest]) if len(found) else newest
        silent -= set(newest.index)
        first = day
    return found
