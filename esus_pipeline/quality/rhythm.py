"""Learning what is normal for a point from its own history: silences by the kind of hour, levels, stillness.

Belongs here: from clean readings of some weeks to one version of frames.RHYTHM. Does not belong here: holding
silences against it (see bounds), how late a controller is (see lateness).

The allowed silence is a multiple of the 99.9 % quantile of the point's own silences. Where a point speaks more often
in some hours of the week than in others, silences are measured in its own time, which runs the faster the more often
it usually speaks (operational time, Feller, An Introduction to Probability Theory II, ch. X.7), if that lets the
working day be judged by a smaller bound.

Outages in the history teach nothing: a silence that the whole controller kept is left out, and so are a few silences
of one point that are far from all its others.
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import RHYTHM
from esus_pipeline.instants import NEVER, Floats, Ints, instants, length, microseconds
from esus_pipeline.quality.bounds import COLUMNS, LONGEST, configured
from esus_pipeline.quality.week import KINDS, kind_at, spent
from esus_pipeline.readings import Quality
from esus_pipeline.site import Calendar, Point, Site

TRAINING = timedelta(days=28)
"""History that one version is learned from."""

FACTOR = 2.0
"""Allowed silence of a steady point as a multiple of its longest usual one."""

HEAVY, HEAVIEST = 2.5, 4.0
"""The same for points that speak at changes, from even to rare and far longer silences."""

LEAST = timedelta(minutes=30)
"""No bound is smaller: a poll every quarter of an hour sees nothing finer."""

FEW = 60
"""With fewer silences than this nothing is learned of a point that speaks at changes: its longest silence is luck."""

FEW_PERIODIC = 8
"""A periodic point is known after this many."""

WEEK = timedelta(days=7)
"""Of a point that speaks at changes a week at least must have been heard."""

FAR = 3.0
"""A silence this many times longer than the next shorter one is an outage, not rhythm."""

OUTAGES = 4
"""So many silences of one point may be left out as outages."""

STEADY = 0.25
"""Silences that differ from the median by no more than this share of it make a point periodic."""

GAIN = 0.8
"""Operational time is used where it makes the bound of the working day smaller than this share of the plain one."""

_MINUTE = length(timedelta(minutes=1))
_LEAST_RATE = 0.02
_EXTREME = 0.005
_STILLEST = 0.003


def learn(site: Site, clean: pd.DataFrame, valid_from: datetime, newest: pd.Series | None = None) -> pd.DataFrame:
    """One version of frames.RHYTHM: a row for every point of the site.

    Args:
        site: the building.
        clean: frames.CLEAN_SERIES of the training span (point_id, timestamp, value, quality).
        valid_from: first window that it is meant for.
        newest: newest stamp of each point known from earlier versions, by point id.
    """
    ordered = clean.sort_values(["point_id", "timestamp"], kind="stable")
    stamps = microseconds(ordered["timestamp"])
    ids, value = ordered["point_id"].to_numpy(), ordered["value"].to_numpy(dtype=float)
    good = (ordered["quality"] == Quality.GOOD).to_numpy()
    parts = {p.id: slice(*np.searchsorted(ids, [p.id, p.id + 1])) for p in site.points}
    outages = _outages(site, {point: stamps[part] for point, part in parts.items()})
    rows = []
    for point in site.points:
        part = parts[point.id]
        own = stamps[part]
        row = _silence(site, point, own, outages[point.controller])
        row |= _levels(value[part][good[part]]) | _stillness(own[good[part]], value[part][good[part]])
        rows.append(row | {"point_id": point.id, "newest": own[-1] if len(own) else NEVER})
    table = pd.DataFrame(rows).assign(valid_from=pd.Timestamp(valid_from).as_unit("us"))
    table["newest"] = instants(table["newest"].to_numpy(dtype=np.int64))
    if newest is not None:
        known = pd.Series(newest.reindex(table["point_id"]).array)
        table["newest"] = table["newest"].fillna(known)
    return RHYTHM.conform(table)


def _outages(site: Site, stamps: dict[int, Ints]) -> dict[str, tuple[Ints, Ints]]:
    """Silences of each controller as a whole that are far longer than it usually keeps: starts and ends."""
    found = {}
    for name in {point.controller for point in site.points}:
        together = np.unique(np.concatenate([stamps[p.id] for p in site.points if p.controller == name]))
        silence = np.diff(together)
        usual = np.quantile(silence, 0.999) if len(silence) >= FEW else np.inf
        long = silence > max(2 * usual, length(LEAST))
        found[name] = (together[:-1][long], together[1:][long])
    return found


def _silence(site: Site, point: Point, stamps: Ints, outages: tuple[Ints, Ints]) -> dict[str, object]:
    """Kind and bounds of one point."""
    since, until = _outside(stamps[:-1], stamps[1:], outages)
    periodic = len(since) >= FEW_PERIODIC and _steady(until - since)
    hours = spent(since, until, site.calendar)
    if point.silent_by_nature:
        kind, allowed = "silent", np.full(len(KINDS), np.inf)
    elif not periodic and (len(since) < FEW or stamps[-1] - stamps[0] < length(WEEK)):
        longest = (until - since).max(initial=0)
        kind, allowed = "short", np.full(len(KINDS), max(configured(site, point), FACTOR * longest))
    else:
        kind, allowed = (
            "periodic" if periodic else "change_of_value",
            _bounds(hours, _pace(hours, until, site.calendar)),
        )
    if allowed[0] > length(LONGEST):
        kind, allowed = "silent", np.full(len(KINDS), np.inf)
    finite = np.where(np.isinf(allowed), np.nan, allowed / _MINUTE)
    return {"kind": kind, "gaps": len(since), **dict(zip(COLUMNS, finite, strict=True))}


def _steady(silence: Ints) -> bool:
    """Whether nine of ten silences are about the same."""
    median = np.median(silence)
    return bool(np.mean(np.abs(silence - median) <= STEADY * median) > 0.9)


def _pace(hours: Floats, until: Ints, calendar: Calendar) -> Floats:
    """How much more often than on average the point speaks in each kind of hour."""
    total = hours.sum(axis=0)
    rate = np.bincount(kind_at(until, calendar), minlength=len(KINDS)) / np.maximum(total, 1)
    return np.maximum(rate / (len(until) / total.sum()), _LEAST_RATE)


def _bounds(hours: Floats, pace: Floats) -> Floats:
    """Allowed silence for each kind of hour, microseconds; vacations are weekends that no calendar shows."""
    usual = _usual(hours, pace)
    plain = np.full(len(KINDS), _allowed(usual.sum(axis=1)))
    own = _allowed(usual @ pace) / pace
    own[:2] = np.maximum(own[:2], own[2:])
    chosen = own if own[0] < GAIN * plain[0] else plain
    return np.maximum(chosen, length(LEAST))


def _allowed(silence: Floats) -> float:
    """The longest usual silence, times a factor that is the greater the heavier the tail is."""
    usual, often = (float(np.quantile(silence, share, method="higher")) for share in (0.999, 0.99))
    steady = usual <= (1 + STEADY) * float(np.median(silence))
    return usual * (FACTOR if steady else float(np.clip(usual / often, HEAVY, HEAVIEST)))


def _outside(since: Ints, until: Ints, outages: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    """Silences that do not hold an outage of their controller."""
    begins, ends = outages
    first = np.searchsorted(begins, since, side="left")
    holds = np.append(ends, np.iinfo(np.int64).max)[first] <= until
    return since[~holds], until[~holds]


def _usual(hours: Floats, pace: Floats) -> Floats:
    """Silences without the few that are far from all others in the point's own time."""
    silence = hours @ pace
    order = np.argsort(-silence, kind="stable")
    longest = silence[order[: OUTAGES + 1]]
    far = [k + 1 for k in range(len(longest) - 1) if longest[k] > FAR * longest[k + 1]]
    return hours[order[far[-1] if far else 0 :]]


def _levels(value: Floats) -> dict[str, object]:
    if len(value) < FEW:
        return {"level_low": np.nan, "level_high": np.nan}
    low, high = np.quantile(value, [_EXTREME, 1 - _EXTREME])
    return {"level_low": low, "level_high": high}


def _stillness(stamps: Ints, value: Floats) -> dict[str, object]:
    """How long runs of equal readings are, but for the few longest: those may be a sensor that was stuck."""
    if len(value) < FEW:
        return {"still_minutes": np.nan}
    starts = np.flatnonzero(np.r_[True, value[1:] != value[:-1]])
    stops = np.r_[starts[1:], len(value)]
    runs = (stamps[stops - 1] - stamps[starts]) / _MINUTE
    return {"still_minutes": float(np.quantile(runs, 1 - _STILLEST))}
