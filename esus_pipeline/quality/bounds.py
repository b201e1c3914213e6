"""How long a silence is normal: for every point by the kind of hour, for every controller one number.

Belongs here: holding silences against bounds. Does not belong here: learning them (see rhythm and lateness).

A silence uses up its bound: an hour of a night uses less of it than an hour of a working day where the point is
quieter at night. It is too long when more than the whole is used. With equal bounds this is the plain comparison.
What of it the point's controller was out uses nothing.
"""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.frames import CONTROLLER_RHYTHM
from esus_pipeline.instants import NEVER, Floats, Ints, Mask, length, microseconds
from esus_pipeline.quality.week import KINDS, kind_at, spent
from esus_pipeline.site import Calendar, Point, Site

LONGEST = timedelta(hours=48)
"""A point that may be silent for longer than this cannot be judged by its silence."""

CONTROLLER = timedelta(hours=1)
"""Lateness of a controller that is normal before it has been learned."""

WITNESSES = 3
"""So many points must have reached a controller's watermark, but no more than half of those that count, rounded up.

One odd clock does not count where they are many; where they are few, the loss of some is not the controller's.
"""

_MINUTE = length(timedelta(minutes=1))
COLUMNS = [f"bound_{kind}" for kind in KINDS]


@dataclass(frozen=True)
class Bounds:
    """Bounds in microseconds, points and controllers in the order of the site."""

    calendar: Calendar
    points: Floats
    """[points, kinds of hour]; infinite where silence says nothing."""
    controllers: Floats
    witnesses: Ints
    """Points of each controller that must have reached its watermark."""
    counted: Mask
    """Points that can be among those."""
    member: npt.NDArray[np.intp]
    """Place of each point's controller in `controllers`."""

    @property
    def silent(self) -> Mask:
        """Points whose silence says nothing."""
        return np.asarray(np.isinf(self.points).all(axis=1))

    def of(self, point: int) -> "Bounds":
        """The bounds of one point, by its place in the site."""
        return replace(self, points=self.points[point : point + 1])

    def used(self, since: Ints, until: Ints, away: Floats | float = 0.0) -> Floats:
        """Share of each point's bound that the silence [since, until) uses; both are [instants, points].

        `away` is how long of it the controller was out, microseconds, [instants, points, kinds of hour].
        """
        unknown = (since == NEVER) | (until <= since)
        anchor = until.max(initial=0)
        silence = spent(np.where(unknown, anchor, since), np.where(unknown, anchor, until), self.calendar)
        return np.asarray(np.where(unknown, 0.0, ((silence - away) / self.points).sum(axis=-1)))

    def minutes(self, since: Ints, until: Ints, used: Floats, away: Floats) -> Floats:
        """The bound that holds for the silence [since, until), in minutes; NaN where silence says nothing.

        It is longer by what the controller was out, `away` as in `used`.
        """
        out = away.sum(axis=-1)
        kind = kind_at(np.where(until == NEVER, until.max(initial=0), until), self.calendar)
        plain = self.points[np.arange(len(self.points)), kind]
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = (out + np.where(used > 0, (until - since - out) / used, plain)) / _MINUTE
        return np.where(np.isfinite(bound), bound, np.nan)


def configured(site: Site, point: Point) -> float:
    """Bound before anything is learned, microseconds: the point's own or its quantity's, as the site says."""
    silence = point.max_silence or site.quantity(point.quantity).max_age
    return np.inf if point.silent_by_nature or silence > LONGEST else float(length(silence))


def members(site: Site) -> npt.NDArray[np.intp]:
    """For each point of the site the place of its controller in `controllers`."""
    names = controllers(site)
    return np.array([names.index(point.controller) for point in site.points], dtype=np.intp)


def controllers(site: Site) -> list[str]:
    """Controllers of the site in the order in which its points name them."""
    return list(dict.fromkeys(point.controller for point in site.points))


def bounds(
    site: Site,
    rhythm: pd.DataFrame | None = None,
    lateness: pd.DataFrame | None = None,
    dead: Collection[int] = (),
) -> Bounds:
    """Bounds of a version (frames.RHYTHM, frames.CONTROLLER_RHYTHM), configured ones for whoever is not in it.

    `dead` are points known not to work, which are no witnesses of their controller.
    """
    names, member = controllers(site), members(site)
    points = np.array([[configured(site, point)] * len(KINDS) for point in site.points]).reshape(-1, len(KINDS))
    speaks = ~np.isin(site.point_ids, list(dead))
    gone = np.zeros(len(points), dtype=bool)
    if rhythm is not None and len(rhythm):
        learned = rhythm.set_index("point_id")[COLUMNS].reindex(site.point_ids).to_numpy() * _MINUTE
        there = np.isin(site.point_ids, rhythm["point_id"])
        points[there] = np.where(np.isnan(learned), np.inf, learned)[there]
        gone = there & _gone(site, rhythm, member)
    counted, most = _witnesses(member, speaks, speaks & np.isfinite(points).any(axis=1) & ~gone)
    known = (CONTROLLER_RHYTHM.empty() if lateness is None else lateness).set_index("controller")
    usual, witnesses = (
        np.array([known[column].get(name, default) for name in names], dtype=float)
        for column, default in (
            ("bound_minutes", length(CONTROLLER) / _MINUTE),
            ("witnesses", WITNESSES),
        )
    )
    return Bounds(site.calendar, points, usual * _MINUTE, np.minimum(witnesses.astype(np.int64), most), counted, member)


def _gone(site: Site, rhythm: pd.DataFrame, member: npt.NDArray[np.intp]) -> Mask:
    """Points that were lost before the version was made: never heard, or LONGEST behind another of the controller."""
    newest = microseconds(rhythm.set_index("point_id")["newest"].reindex(site.point_ids))
    last = np.full(len(newest), NEVER)
    np.maximum.at(last, member, newest)
    return np.asarray((newest == NEVER) | (last[member] - newest > length(LONGEST)))


def _witnesses(member: npt.NDArray[np.intp], speaks: Mask, telling: Mask) -> tuple[Mask, Ints]:
    """Points that count for their controller's watermark, and how many of them it may ask for at most.

    Where the silence of no point tells anything, any point that speaks will do.
    """
    counted, most = telling.copy(), []
    for controller in range(member.max(initial=-1) + 1):
        mine = member == controller
        most.append((int((telling & mine).sum()) + 1) // 2)
        if not most[-1]:
            counted |= mine & speaks if (mine & speaks).any() else mine
    return counted, np.maximum(np.array(most, dtype=np.int64), 1)
