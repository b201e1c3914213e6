"""How long a silence is normal: for every point by the kind of hour, for every controller one number.

Belongs here: holding silences against bounds. Does not belong here: learning them (see rhythm and lateness).

A silence uses up its bound: an hour of a night uses less of it than an hour of a working day where the point is
quieter at night. It is too long when more than the whole is used. With equal bounds this is the plain comparison.
"""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import CONTROLLER_RHYTHM
from esus_pipeline.instants import NEVER, Floats, Ints, Mask, length
from esus_pipeline.quality.week import KINDS, kind_at, spent
from esus_pipeline.site import Calendar, Point, Site

LONGEST = timedelta(hours=48)
"""A point that may be silent for longer than this cannot be judged by its silence."""

CONTROLLER = timedelta(hours=1)
"""Lateness of a controller that is normal before it has been learned."""

WITNESSES = 3
"""So many points must have reached a controller's watermark, where they are many: one odd clock does not count."""

_SWITCHES = {"bool", "state"}
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

    @property
    def silent(self) -> Mask:
        """Points whose silence says nothing."""
        return np.asarray(np.isinf(self.points).all(axis=1))

    def of(self, point: int) -> "Bounds":
        """The bounds of one point, by its place in the site."""
        return replace(self, points=self.points[point : point + 1])

    def used(self, since: Ints, until: Ints) -> Floats:
        """Share of each point's bound that the silence [since, until) uses; both are [instants, points]."""
        unknown = (since == NEVER) | (until <= since)
        anchor = until.max(initial=0)
        share = spent(np.where(unknown, anchor, since), np.where(unknown, anchor, until), self.calendar) / self.points
        return np.asarray(np.where(unknown, 0.0, share.sum(axis=-1)))

    def minutes(self, since: Ints, until: Ints, used: Floats) -> Floats:
        """The bound that holds for the silence [since, until), in minutes; NaN where silence says nothing."""
        kind = kind_at(np.where(until == NEVER, until.max(initial=0), until), self.calendar)
        plain = self.points[np.arange(len(self.points)), kind]
        with np.errstate(divide="ignore", invalid="ignore"):
            bound = np.where(used > 0, (until - since) / used, plain) / _MINUTE
        return np.where(np.isfinite(bound), bound, np.nan)


def silent_by_nature(point: Point) -> bool:
    """Whether the point is one that speaks only when somebody or something switches."""
    return point.role in ("setpoint", "command") or point.unit in _SWITCHES


def configured(site: Site, point: Point) -> float:
    """Bound before anything is learned, microseconds: the greatest age of the quantity, as the site says."""
    age = site.quantity(point.quantity).max_age
    return np.inf if silent_by_nature(point) or age > LONGEST else float(length(age))


def bounds(site: Site, rhythm: pd.DataFrame | None = None, controllers: pd.DataFrame | None = None) -> Bounds:
    """Bounds of a version (frames.RHYTHM, frames.CONTROLLER_RHYTHM), configured ones for whoever is not in it."""
    names = list(dict.fromkeys(point.controller for point in site.points))
    points = np.array([[configured(site, point)] * len(KINDS) for point in site.points]).reshape(-1, len(KINDS))
    if rhythm is not None and len(rhythm):
        learned = rhythm.set_index("point_id")[COLUMNS].reindex(site.point_ids).to_numpy() * _MINUTE
        there = np.isin(site.point_ids, rhythm["point_id"])
        points[there] = np.where(np.isnan(learned), np.inf, learned)[there]
    known = (CONTROLLER_RHYTHM.empty() if controllers is None else controllers).set_index("controller")
    usual, witnesses = (
        np.array([known[column].get(name, default) for name in names], dtype=float)
        for column, default in (
            ("bound_minutes", length(CONTROLLER) / _MINUTE),
            ("witnesses", WITNESSES),
        )
    )
    return Bounds(site.calendar, points, usual * _MINUTE, witnesses.astype(np.int64))
