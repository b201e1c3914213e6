"""How far each controller has delivered, and when it was out: what the points of a controller have in common.

Belongs here: watermarks and what follows from them. Does not belong here: which points count for them (see bounds),
how late a controller usually is (see lateness), the state of a point (see states).
"""

from dataclasses import dataclass

import numpy as np

from esus_pipeline.instants import NEVER, Floats, Ints, Mask, length
from esus_pipeline.quality.bounds import LONGEST, Bounds
from esus_pipeline.quality.week import KINDS, spent


@dataclass(frozen=True)
class Progress:
    """How far each controller has delivered at each instant; arrays are [instants, controllers]."""

    instants: Ints
    """Ascending, microseconds."""
    watermark: Ints
    tardy: Mask
    """Whether it is later than it usually is."""


@dataclass(frozen=True)
class Outage:
    """A time without readings of a controller, microseconds; its end is known from the instant `seen` on."""

    controller: int
    begin: np.int64
    end: np.int64
    seen: np.int64


def progress(instants: Ints, newest: Ints, bounds: Bounds) -> Progress:
    """Watermarks from the newest stamp of each point ([instants, points])."""
    mark = watermarks(newest, bounds, bounds.witnesses)
    return Progress(instants, mark, instants[:, None] - mark > bounds.controllers)


def watermarks(newest: Ints, bounds: Bounds, witnesses: Ints) -> Ints:
    """The newest stamp that so many points of each controller have reached, or all that were ever heard if fewer."""
    marks = np.full((len(newest), len(witnesses)), NEVER)
    for controller, count in enumerate(witnesses):
        stamps = np.sort(newest[:, bounds.counted & (bounds.member == controller)], axis=1)
        heard = (stamps != NEVER).sum(axis=1)
        place = np.clip(heard, 1, count)
        marks[:, controller] = np.take_along_axis(stamps, -place[:, None], axis=1)[:, 0]
    return marks


def outages(reached: Progress, bounds: Bounds) -> list[Outage]:
    """Steps of a watermark longer than its controller is usually late; they end at most one instant too late."""
    before, after = reached.watermark[:-1], reached.watermark[1:]
    steps = np.nonzero((before != NEVER) & (after - before > bounds.controllers))
    return [Outage(int(c), before[at, c], after[at, c], reached.instants[at + 1]) for at, c in zip(*steps, strict=True)]


def away(reached: Progress, bounds: Bounds, instants: Ints, since: Ints, until: Ints) -> Floats:
    """How long of each silence [since, until) ([instants, points]) the point's controller was out, by kind of hour.

    At each instant the outages count that were over within LONGEST before it, however far back `reached` goes: so an
    instant is judged alike in whatever span it is judged.
    """
    lost = np.zeros((*since.shape, len(KINDS)))
    for outage in outages(reached, bounds):
        age = instants - outage.seen
        part = np.ix_((age >= 0) & (age < length(LONGEST)), bounds.member == outage.controller)
        begin, end = (edge[part].clip(outage.begin, outage.end) for edge in (since, until))
        lost[part] += spent(begin, np.maximum(begin, end), bounds.calendar)
    lost[since == NEVER] = 0
    return lost
