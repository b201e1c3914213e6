"""The shape of every judgement, and how the judgements of single windows become one.

Belongs here: passing, the worst subjects, the windows that failed. Does not belong here: what is judged.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import pandas as pd

MOST_WORST = 50
"""Rows of the table of the worst subjects: all points, every quarter of an hour, would drown the event log."""
MOST_WINDOWS = 20
"""Failed windows that are named."""


class Level(StrEnum):
    """How much a failed check matters."""

    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True)
class Rule:
    """What one check is about: the value of each window, its limit, and what to do."""

    measure: str
    """What the value of a window is, such as "share of expected values"."""
    unit: str
    limit: float
    """A value beyond it fails the window."""
    at_least: bool
    """Whether values must be at least the limit, else at most."""
    advice: str
    level: Level = Level.WARNING
    grave: float | None = None
    """A value beyond this makes it an error."""

    def fails(self, values: "pd.Series[float]", limit: float | None = None) -> "pd.Series[bool]":
        """Which values are beyond a limit; a missing value fails nothing."""
        bound = self.limit if limit is None else limit
        return values < bound if self.at_least else values > bound


@dataclass(frozen=True)
class Day:
    """The judgement of a day's windows."""

    windows: pd.DataFrame
    """Columns window (start), value; a missing value is a window that there is nothing to judge in."""
    worst: pd.DataFrame
    """Columns subject, note, windows (in how many it was bad), silenced (why it does not count, or empty)."""


@dataclass(frozen=True)
class Verdict:
    """One evaluation of one check."""

    passed: bool
    level: Level
    summary: str
    advice: str
    rule: Rule | None = None
    windows: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=["window", "value", "failed"]))
    """Columns window, value, failed: what the plot shows, a time before the judged ones included."""
    worst: tuple[Mapping[str, str | int], ...] = ()
    """At most MOST_WORST records, the worst first, those that are silenced last."""
    worst_in_all: int = 0
    failed_windows: tuple[pd.Timestamp, ...] = ()
    """Starts of the failed windows, at most MOST_WINDOWS."""
    numbers: Mapping[str, float | int | str] = field(default_factory=dict)


def verdict(rule: Rule, days: Iterable[Day], before: Sequence[Day] = ()) -> Verdict:
    """The windows of all days, each judged by the rule, as one evaluation; those of `before` are only shown."""
    parts = list(days)
    windows = _all_windows(rule, parts)
    failed = windows[windows["failed"]]
    worst = _worst([part.worst for part in parts])
    grave = rule.grave is not None and bool(rule.fails(windows["value"], rule.grave).any())
    return Verdict(
        passed=failed.empty,
        level=Level.ERROR if grave else rule.level,
        summary=_summary(rule, windows, failed),
        advice="" if failed.empty else rule.advice,
        rule=rule,
        windows=_all_windows(rule, [*before, *parts]),
        worst=tuple(record for record in worst[:MOST_WORST]),
        worst_in_all=len(worst),
        failed_windows=tuple(failed["window"][:MOST_WINDOWS]),
        numbers={
            **({} if windows["value"].isna().all() else {"worst_value": round(_extreme(rule, windows["value"]), 3)}),
            **({} if len(windows) == 1 else _counts(windows)),
        },
    )


def _counts(windows: pd.DataFrame) -> dict[str, int]:
    return {
        "windows": len(windows),
        "windows_failed": int(windows["failed"].sum()),
        "windows_without_data": int(windows["value"].isna().sum()),
    }


def _all_windows(rule: Rule, days: Sequence[Day]) -> pd.DataFrame:
    windows = pd.concat([part.windows for part in days], ignore_index=True)
    return windows.assign(failed=rule.fails(windows["value"]))


def _summary(rule: Rule, windows: pd.DataFrame, failed: pd.DataFrame) -> str:
    known = windows["value"].dropna()
    if known.empty:
        return "There is nothing to judge."
    limit = f"{'at least' if rule.at_least else 'at most'} {rule.limit:g} {rule.unit}".strip()
    measure = f"{rule.measure[0].upper()}{rule.measure[1:]}"
    shown = f"{_extreme(rule, known):.3g} {rule.unit}".strip()
    if len(windows) == 1:
        return f"{measure}: {shown}, expected {limit}."
    return f"{len(failed)} of {len(windows)} windows failed. {measure}: {shown} at worst, expected {limit}."


def _extreme(rule: Rule, values: "pd.Series[float]") -> float:
    return float(values.min() if rule.at_least else values.max())


def _worst(parts: list[pd.DataFrame]) -> list[dict[str, str | int]]:
    rows = pd.concat(parts, ignore_index=True)
    if rows.empty:
        return []
    rows = rows.groupby("subject", as_index=False, sort=False).agg(
        windows=("windows", "sum"), note=("note", "last"), silenced=("silenced", "last")
    )
    rows = rows.assign(held=rows["silenced"] != "").sort_values(
        ["held", "windows", "subject"], ascending=[True, False, True]
    )
    return [
        {"subject": row["subject"], "windows": int(row["windows"]), "note": row["note"], "silenced": row["silenced"]}
        for row in rows.to_dict("records")
    ]


def no_worst() -> pd.DataFrame:
    """A table of the worst without rows."""
    return pd.DataFrame({"subject": [], "note": [], "windows": [], "silenced": []}).astype(
        {"subject": str, "note": str, "windows": int, "silenced": str}
    )
