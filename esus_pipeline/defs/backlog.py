"""What waits to be delivered to InfluxDB, and what is asked for next. Plain data and functions; no instance here.

The delivery sensor keeps it, as JSON, in its cursor. One run is under way at a time, oldest windows first. A range that
failed waits longer after each failure and lets the others go first; nothing is ever dropped.
"""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from itertools import pairwise

from pydantic import BaseModel

from esus_pipeline.defs.gaps import Range, ranges
from esus_pipeline.frames import STEP

NEAR = timedelta(hours=9)
"""Ranges that are no further apart are delivered by one run; late readings are that late."""

LONGEST = timedelta(days=31)
"""Most windows that one run delivers."""

MOST_RANGES = 50
"""Of one sink; beyond it the nearest ones are joined, and the windows between them delivered again."""

SHORT = timedelta(days=1)
"""A range that failed and is longer is tried again in halves."""

HOLD = timedelta(minutes=5)
"""So long, windows that a run is working on wait for its end, so that one delivery serves all its assets."""

FIRST_PAUSE, LONGEST_PAUSE = timedelta(seconds=30), timedelta(hours=1)


class Piece(BaseModel):
    """Windows (first and last, both included) of one sink that wait."""

    first: datetime
    last: datetime
    since: datetime
    """When the oldest of them came."""
    failures: int = 0
    due: datetime | None = None
    """Not to be tried before, after a failure."""

    def meets(self, span: Range) -> bool:
        """Whether they have a window in common."""
        return self.first <= span[1] and span[0] <= self.last

    def without(self, span: Range) -> list["Piece"]:
        """What remains of it outside the span."""
        if not self.meets(span):
            return [self]
        rest = []
        if self.first < span[0]:
            rest.append(self.model_copy(update={"last": span[0] - STEP}))
        if self.last > span[1]:
            rest.append(self.model_copy(update={"first": span[1] + STEP}))
        return rest

    def ready(self, now: datetime, busy: Collection[Range]) -> list["Piece"]:
        """The parts that may be delivered now."""
        if self.due and now < self.due:
            return []
        return [self] if now - self.since >= HOLD else _outside([self], busy)


class Errand(BaseModel):
    """One run that was asked for."""

    key: str
    sinks: list[str]
    first: datetime
    last: datetime
    failures: int
    asked: datetime


class Backlog(BaseModel):
    """Everything that the sensor remembers."""

    seen: dict[str, int] = {}
    """Per asset the storage id of the last event that was looked at."""
    pieces: dict[str, list[Piece]] = {}
    """Per sink, oldest first."""
    errand: Errand | None = None
    """The run under way."""
    errands: int = 0
    """Runs asked for so far."""
    failures: int = 0
    """In a row, whatever they were about."""
    pause_until: datetime | None = None
    noted_until: datetime | None = None
    """Windows before this need no note that nothing happened."""

    def add(self, sink: str, windows: Iterable[datetime], now: datetime) -> None:
        """Windows of which something new is to be delivered to the sink."""
        new = [Piece(first=first, last=last, since=now) for first, last in ranges(windows)]
        pieces = self.pieces.get(sink, [])
        failed = [piece for piece in pieces if piece.failures]
        fresh = _joined([*(piece for piece in pieces if not piece.failures), *new], STEP)
        while len(fresh) > MOST_RANGES:
            gaps = [after.first - before.last for before, after in pairwise(fresh)]
            fresh = _joined(fresh, min(gaps))
        self.pieces[sink] = sorted([*failed, *fresh], key=lambda piece: piece.first)

    def waiting(self) -> int:
        """The backlog as a number: windows of which something waits, without those being delivered now."""
        every = _joined([piece for pieces in self.pieces.values() for piece in pieces], STEP)
        return sum((piece.last - piece.first) // STEP + 1 for piece in every)

    def next_errand(self, now: datetime, busy: Collection[Range]) -> Errand | None:
        """The oldest windows that may be delivered now, with all sinks that they wait for; None if there are none."""
        if self.errand or (self.pause_until and now < self.pause_until):
            return None
        ready = {sink: _ready(pieces, now, busy) for sink, pieces in self.pieces.items()}
        every = [piece for pieces in ready.values() for piece in pieces]
        spans = [*_joined([p for p in every if not p.failures], NEAR), *[p for p in every if p.failures]]
        oldest = min(spans, key=lambda span: span.first, default=None)
        if oldest is None:
            return None
        first, last = oldest.first, min(oldest.last, oldest.first + LONGEST - STEP)
        wanted = {sink: [p for p in pieces if p.meets((first, last))] for sink, pieces in ready.items()}
        return Errand(
            key=f"deliver {self.errands + 1} {first:%Y-%m-%d-%H:%M} {last:%Y-%m-%d-%H:%M}",
            sinks=sorted(sink for sink, pieces in wanted.items() if pieces),
            first=first,
            last=last,
            failures=max(piece.failures for pieces in wanted.values() for piece in pieces),
            asked=now,
        )

    def start(self, errand: Errand, now: datetime, busy: Collection[Range]) -> None:
        """The errand is under way; its windows do not wait any more."""
        span = (errand.first, errand.last)
        for sink in errand.sinks:
            left: list[Piece] = []
            for piece in self.pieces[sink]:
                ready = piece.ready(now, busy)
                left += _outside([piece], [(part.first, part.last) for part in ready]) + _outside(ready, [span])
            self.pieces[sink] = sorted(left, key=lambda piece: piece.first)
        self.errand, self.errands = errand, self.errands + 1

    def settle(self, delivered: bool, now: datetime) -> None:
        """The errand has ended; what was not delivered waits again."""
        errand, self.errand = self.errand, None
        if errand is None:
            return
        if delivered:
            self.failures, self.pause_until = 0, None
            return
        self.failures += 1
        self.pause_until = now + _pause(self.failures)
        failures = errand.failures + 1
        due = now + _pause(failures)
        again = [
            Piece(first=first, last=last, since=errand.asked, failures=failures, due=due)
            for first, last in _halves(errand.first, errand.last)
        ]
        for sink in errand.sinks:
            self.pieces[sink] = sorted([*self.pieces.get(sink, []), *again], key=lambda piece: piece.first)


def _ready(pieces: Iterable[Piece], now: datetime, busy: Collection[Range]) -> list[Piece]:
    return [part for piece in pieces for part in piece.ready(now, busy)]


def _outside(pieces: Iterable[Piece], spans: Iterable[Range]) -> list[Piece]:
    """What remains of the pieces outside all the spans."""
    rest = list(pieces)
    for span in spans:
        rest = [part for piece in rest for part in piece.without(span)]
    return rest


def _pause(failures: int) -> timedelta:
    return min(FIRST_PAUSE * 2 ** min(failures - 1, 20), LONGEST_PAUSE)


def _joined(pieces: Iterable[Piece], near: timedelta) -> list[Piece]:
    """Pieces no further apart than `near` as one."""
    joined: list[Piece] = []
    for piece in sorted(pieces, key=lambda piece: piece.first):
        if joined and piece.first - joined[-1].last <= near:
            before = joined[-1]
            joined[-1] = Piece(
                first=before.first, last=max(before.last, piece.last), since=min(before.since, piece.since)
            )
        else:
            joined.append(piece)
    return joined


def _halves(first: datetime, last: datetime) -> list[Range]:
    """A range that failed in two, unless it is short: so days that cannot be delivered do not keep others back."""
    windows = (last - first) // STEP + 1
    if windows <= SHORT // STEP:
        return [(first, last)]
    middle = first + windows // 2 * STEP
    return [(first, middle - STEP), (middle, last)]
