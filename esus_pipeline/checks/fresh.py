"""How old is the newest reading now? A run can succeed for ever without a new reading; this looks at the data."""

from dataclasses import replace
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.checks.verdict import MOST_WORST, Level, Rule, Verdict
from esus_pipeline.frames import STEP
from esus_pipeline.quality import FINAL
from esus_pipeline.site import Site

FRESHNESS = Rule(
    measure="age of the building's newest reading",
    unit="min",
    limit=60.0,
    at_least=False,
    advice="Is the building's system delivering at all? Late readings are taken in by themselves.",
)
LOOK_BACK = timedelta(days=2)
"""How far back the newest readings are looked for."""


def freshness(site: Site, readings: pd.DataFrame, now: datetime) -> Verdict:
    """Whether the building's newest reading is young enough; the worst are the controllers.

    Args:
        site: the building.
        readings: point_id and timestamp of what was heard within LOOK_BACK.
        now: the instant to judge at.
    """
    newest = readings.groupby("point_id")["timestamp"].max()
    by_controller: dict[str, list[int]] = {}
    for point in site.points:
        by_controller.setdefault(point.controller, []).append(point.id)
    ages: dict[str, float] = {}
    for controller, ids in by_controller.items():
        heard = newest.reindex(ids).dropna()
        ages[controller] = _minutes(now - heard.max()) if len(heard) else float("inf")
    youngest = min(ages.values(), default=float("inf"))
    worst = sorted(ages.items(), key=lambda each: -each[1])
    passed = youngest <= FRESHNESS.limit
    verdict = Verdict(
        passed=passed,
        level=Level.ERROR if youngest > _minutes(FINAL) else FRESHNESS.level,
        summary=f"The newest reading of the building is {_age(youngest)} old at {now:%Y-%m-%d %H:%M} UTC, expected at "
        f"most {_age(FRESHNESS.limit)}.",
        advice="" if passed else FRESHNESS.advice,
        worst=tuple(
            {"subject": name, "windows": 0, "note": f"newest reading {_age(age)} old", "silenced": ""}
            for name, age in worst[:MOST_WORST]
        ),
        worst_in_all=len(worst),
        numbers={"points_heard_in_two_days": len(newest), "points": len(site.points)}
        | ({} if youngest == float("inf") else {"newest_reading_age_minutes": round(youngest, 1)}),
    )
    if passed or readings.empty:
        return verdict
    return replace(verdict, rule=FRESHNESS, windows=_course(readings, now))


def _course(readings: pd.DataFrame, now: datetime) -> pd.DataFrame:
    """How old the newest reading was at each quarter of an hour of LOOK_BACK, by its stamp, however late it came."""
    times = pd.DataFrame({"window": pd.date_range(end=now, periods=LOOK_BACK // STEP + 1, freq=STEP, unit="us")})
    stamps = pd.DatetimeIndex(readings["timestamp"].unique()).as_unit("us").sort_values()
    course = pd.merge_asof(times, pd.DataFrame({"window": stamps, "newest": stamps}), on="window")
    course["value"] = (course["window"] - course["newest"]).dt.total_seconds() / 60
    return course.assign(failed=FRESHNESS.fails(course["value"]))


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60


def _age(minutes: float) -> str:
    if minutes == float("inf"):
        return f"more than {LOOK_BACK.days} days"
    return f"{minutes:.0f} min" if minutes < 120 else f"{minutes / 60:.1f} h"
