"""How old is the newest reading now? A run can succeed for ever without a new reading; this looks at the data."""

from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.checks.verdict import MOST_WORST, Level, Verdict
from esus_pipeline.quality import FINAL
from esus_pipeline.site import Site

LATE = timedelta(hours=1)
"""A building whose newest reading is older than this delivers late or not at all."""
LOOK_BACK = timedelta(days=2)
"""How far back the newest readings are looked for."""


def freshness(site: Site, newest: "pd.Series[pd.Timestamp]", now: datetime) -> Verdict:
    """Whether the building's newest reading is young enough; the worst are the controllers.

    Args:
        site: the building.
        newest: newest time stamp of a reading, by point id, of those heard within LOOK_BACK.
        now: the instant to judge at.
    """
    by_controller: dict[str, list[int]] = {}
    for point in site.points:
        by_controller.setdefault(point.controller, []).append(point.id)
    ages: dict[str, float] = {}
    for controller, ids in by_controller.items():
        heard = newest.reindex(ids).dropna()
        ages[controller] = _minutes(now - heard.max()) if len(heard) else float("inf")
    youngest = min(ages.values(), default=float("inf"))
    worst = sorted(ages.items(), key=lambda each: -each[1])
    passed = youngest <= LATE.total_seconds() / 60
    return Verdict(
        passed=passed,
        level=Level.ERROR if youngest > FINAL.total_seconds() / 60 else Level.WARNING,
        summary=f"The newest reading of the building is {_age(youngest)} old at {now:%Y-%m-%d %H:%M} UTC, expected at "
        f"most {_age(_minutes(LATE))}.",
        advice=""
        if passed
        else "Is the building's system delivering at all? Late readings are taken in by themselves.",
        worst=tuple(
            {"subject": name, "windows": 0, "note": f"newest reading {_age(age)} old", "silenced": ""}
            for name, age in worst[:MOST_WORST]
        ),
        worst_in_all=len(worst),
        numbers={"points_heard_in_two_days": len(newest), "points": len(site.points)}
        | ({} if youngest == float("inf") else {"newest_reading_age_minutes": round(youngest, 1)}),
    )


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


def _age(minutes: float) -> str:
    if minutes == float("inf"):
        return f"more than {LOOK_BACK.days} days"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
