"""Is the forecast that a plan would use young enough, and is it weather? By window, from frames.WEATHER_FORECAST."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.checks.verdict import Day, Level, Rule, no_worst
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site
from esus_pipeline.weather import MAX_AGE, Issues, RejectedForecastError, steering_age
from esus_pipeline.weather.validate import judged

PLAN_LENGTH = timedelta(hours=36)

AGE = Rule(
    measure="age of the forecast in force",
    unit="h",
    limit=MAX_AGE.total_seconds() / 3600,
    at_least=False,
    level=Level.ERROR,
    advice="Every source has failed for hours: see the warnings of weather_forecast, the network and esus doctor. "
    "Until then the schedule is the safe one: shades open.",
)
VALUES = Rule(
    measure="faults of the forecast in force",
    unit="",
    limit=0.0,
    at_least=False,
    advice="The stored forecast does not look like weather or ends too early: see the quarantine for what its source "
    "sent, and materialise weather_forecast again.",
)
NONE = 999.0
"""Age in hours where no forecast was ever known."""


def judge_forecast_age(issues: Issues, ends: Sequence[datetime]) -> Day:
    """Age in hours, at the end of each window, of the issue that its plan would use; a hindcast stands in at no age."""
    values, worst = [], []
    for as_of in ends:
        age = steering_age(issues.known_at(as_of), as_of)
        values.append(NONE if age is None else max(0.0, age.total_seconds() / 3600))
    stale = sum(value > AGE.limit for value in values)
    if stale:
        worst.append(
            {"subject": "forecast", "note": f"up to {max(values):.1f} h old", "windows": stale, "silenced": ""}
        )
    return Day(_windows(ends, values), pd.DataFrame(worst) if worst else no_worst())


def judge_forecast_values(site: Site, issues: Issues, ends: Sequence[datetime]) -> Day:
    """Faults of the issue that each window's plan would use: absurd values (see weather.validate), too short."""
    values: list[float] = []
    faults: dict[str, int] = {}
    known: dict[pd.Timestamp, str] = {}
    for as_of in ends:
        issue = issues.known_at(as_of)
        if issue.empty:
            values.append(float("nan"))
            continue
        stamp = issue["issued_at"].iloc[0]
        if stamp not in known:
            known[stamp] = _absurd(site, issue)
        found = [known[stamp]] if known[stamp] else []
        if issue["valid_time"].max() + STEP < as_of + PLAN_LENGTH:
            found.append("ends before the plan does")
        for fault in found:
            faults[fault] = faults.get(fault, 0) + 1
        values.append(float(len(found)))
    worst = [{"subject": fault, "note": "", "windows": count, "silenced": ""} for fault, count in faults.items()]
    return Day(_windows(ends, values), pd.DataFrame(worst) if worst else no_worst())


def _absurd(site: Site, issue: pd.DataFrame) -> str:
    try:
        rows = judged(str(issue["source"].iloc[0]), issue.reset_index(drop=True), site.place)
    except RejectedForecastError as error:
        return f"{error.reason}: {error.detail}"
    return "" if len(rows) == len(issue) else "has rows without values at its end"


def _windows(ends: Sequence[datetime], values: Sequence[float]) -> pd.DataFrame:
    return pd.DataFrame({"window": pd.DatetimeIndex(list(ends)).as_unit("us") - STEP, "value": list(values)})
