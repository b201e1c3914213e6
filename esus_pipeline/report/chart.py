"""Geometry of the charts: times and values to places on a drawing, as numbers and SVG path data.

Belongs here: scales, ticks, paths. Does not belong here: colours and text (see the templates).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import STEP
from esus_pipeline.report.stretches import WEEKDAYS
from esus_pipeline.site import Site


@dataclass(frozen=True)
class Tick:
    """A mark on an axis; `strong` at midnight."""

    place: float
    label: str
    strong: bool = False


@dataclass(frozen=True)
class TimeAxis:
    """Time from left to right."""

    start: pd.Timestamp
    end: pd.Timestamp
    left: float
    right: float

    def place(self, moment: pd.Timestamp) -> float:
        """Horizontal place of a moment, held at the edges."""
        share = (moment - self.start) / (self.end - self.start)
        return round(self.left + min(max(share, 0.0), 1.0) * (self.right - self.left), 1)

    def ticks(self, site: Site, every: int = 6) -> list[Tick]:
        """A tick at every local hour that `every` divides; the weekday stands at midnight."""
        moment = self.start.ceil("h")
        found = []
        while moment <= self.end:
            local = moment.tz_convert(site.zone)
            if local.hour % every == 0 and local.minute == 0:
                midnight = local.hour == 0
                label = WEEKDAYS[local.weekday()] if midnight else f"{local:%H}"
                found.append(Tick(self.place(moment), label, midnight))
            moment += timedelta(hours=1)
        return found


@dataclass(frozen=True)
class ValueAxis:
    """Values from `low` at the bottom to `high` at the top."""

    low: float
    high: float
    top: float
    bottom: float
    step: float

    def place(self, value: float) -> float:
        """Vertical place of a value, held at the edges."""
        share = (value - self.low) / (self.high - self.low)
        return round(self.bottom - min(max(share, 0.0), 1.0) * (self.bottom - self.top), 1)

    @property
    def ticks(self) -> list[Tick]:
        """Ticks at whole steps from bottom to top."""
        count = round((self.high - self.low) / self.step)
        return [
            Tick(self.place(value), f"{value:g}")
            for value in (self.low + self.step * index for index in range(count + 1))
        ]


def value_axis(values: Sequence[float], steps: Sequence[float], top: float, bottom: float, most: int = 4) -> ValueAxis:
    """The axis with the finest of `steps` that shows all finite values with at most `most` intervals."""
    finite = [value for value in values if math.isfinite(value)] or [0.0]
    for step in steps:
        low = math.floor(min(finite) / step) * step
        high = max(math.ceil(max(finite) / step) * step, low + step)
        if (high - low) / step <= most:
            break
    return ValueAxis(low, high, top, bottom, step)


def line(times: pd.DatetimeIndex, values: Sequence[float], x: TimeAxis, y: ValueAxis) -> str:
    """Path of a line through the values; broken where one is missing."""
    parts, pen_down = [], False
    for moment, value in zip(times, values, strict=True):
        if not math.isfinite(value):
            pen_down = False
            continue
        parts.append(f"{'L' if pen_down else 'M'}{x.place(moment):g} {y.place(value):g}")
        pen_down = True
    return "".join(parts)


def steps(times: pd.DatetimeIndex, values: Sequence[float], x: TimeAxis, y: ValueAxis) -> str:
    """Path of values that each hold for a quarter of an hour; none may be missing."""
    parts = [f"V{y.place(values[first]):g}H{x.place(times[last] + STEP):g}" for first, last in _runs(values)]
    return f"M{x.place(times[0]):g} {y.place(values[0]):g}{''.join(parts)}" if parts else ""


def area(times: pd.DatetimeIndex, values: Sequence[float], x: TimeAxis, y: ValueAxis) -> str:
    """Closed path between the values and the bottom; a missing value leaves a gap."""
    known = np.isfinite(np.asarray(values, dtype=float))
    parts = []
    for run in np.split(np.arange(len(known)), np.flatnonzero(np.diff(known)) + 1):
        if len(run) and known[run[0]]:
            points = "L".join(f"{x.place(times[index]):g} {y.place(values[index]):g}" for index in run)
            first, last = x.place(times[run[0]]), x.place(times[run[-1]])
            parts.append(f"M{first:g} {y.bottom:g}L{points}L{last:g} {y.bottom:g}Z")
    return "".join(parts)


def band(times: pd.DatetimeIndex, low: Sequence[float], high: Sequence[float], x: TimeAxis, y: ValueAxis) -> str:
    """Closed path between two stepped lines."""
    back = "".join(f"V{y.place(low[first]):g}H{x.place(times[first]):g}" for first, _ in reversed(_runs(low)))
    return f"{steps(times, high, x, y)}{back}Z" if back else ""


@dataclass(frozen=True)
class Bar:
    """A stretch of a lowered shade; a partly lowered one is lower in height."""

    left: float
    width: float
    height: float


def bars(times: pd.DatetimeIndex, positions: Sequence[float], x: TimeAxis, height: float) -> list[Bar]:
    """One bar per stretch of equal position above 0; missing positions have none."""
    found = []
    for first, last in _runs(positions):
        if positions[first] > 0:
            left, right = x.place(times[first]), x.place(times[last] + STEP)
            found.append(Bar(left, round(right - left, 1), round(height * positions[first], 1)))
    return found


def _runs(values: Sequence[float]) -> list[tuple[int, int]]:
    """(first, last) index of each stretch of equal values."""
    edges = [index for index in range(1, len(values)) if values[index] != values[index - 1]]
    return list(zip([0, *edges], [*(edge - 1 for edge in edges), len(values) - 1], strict=True)) if len(values) else []
