"""Which windows are missing, and which repair runs to ask for. Plain functions on window starts; no instance here."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from esus_pipeline.frames import STEP

GRACE = timedelta(minutes=12)
"""A window is the live poll's business until this long after its end."""

Range = tuple[datetime, datetime]
"""First and last window, by their starts, both included."""


def missing_windows(expected_from: datetime, now: datetime, done: Collection[datetime]) -> list[datetime]:
    """Starts of the windows from `expected_from` on that should be there by now and are not in `done`."""
    count = max(0, (now - GRACE - expected_from) // STEP)
    return [start for start in (expected_from + step * STEP for step in range(count)) if start not in done]


def ranges(windows: Iterable[datetime]) -> list[Range]:
    """Windows joined into unbroken ranges, oldest first."""
    joined: list[Range] = []
    for window in sorted(set(windows)):
        if joined and window - joined[-1][1] == STEP:
            joined[-1] = (joined[-1][0], window)
        else:
            joined.append((window, window))
    return joined


def inside(window: datetime, busy: Iterable[Range]) -> bool:
    """Whether any of the ranges holds the window."""
    return any(first <= window <= last for first, last in busy)
