"""What an asset check judges, as pure functions: tables in, a frozen `Verdict` out. No Dagster, no message, no clock.

A table of a day is judged by window (`judge_*` functions give one row per window), and a `Verdict` is made of the rows
of any number of days, so that a range of a month is one verdict about each of its windows in the memory of one day.
"""

from esus_pipeline.checks.contacts import judge_contacts, window_contacts
from esus_pipeline.checks.drift import Listing, drift
from esus_pipeline.checks.forecast import AGE as FORECAST_AGE
from esus_pipeline.checks.forecast import VALUES as FORECAST_VALUES
from esus_pipeline.checks.forecast import judge_forecast_age, judge_forecast_values
from esus_pipeline.checks.fresh import freshness
from esus_pipeline.checks.plan import PUBLISHABLE, judge_plans, plan_faults
from esus_pipeline.checks.readings import COMPLETENESS, PLAUSIBILITY, judge_completeness, judge_plausibility
from esus_pipeline.checks.states import CONTROLLERS, POINTS, judge_controllers, judge_points
from esus_pipeline.checks.verdict import Day, Level, Rule, Verdict, verdict

__all__ = [
    "COMPLETENESS",
    "CONTROLLERS",
    "FORECAST_AGE",
    "FORECAST_VALUES",
    "PLAUSIBILITY",
    "POINTS",
    "PUBLISHABLE",
    "Day",
    "Level",
    "Listing",
    "Rule",
    "Verdict",
    "drift",
    "freshness",
    "judge_completeness",
    "judge_contacts",
    "judge_controllers",
    "judge_forecast_age",
    "judge_forecast_values",
    "judge_plans",
    "judge_plausibility",
    "judge_points",
    "plan_faults",
    "verdict",
    "window_contacts",
]
