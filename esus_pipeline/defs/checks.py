"""The asset checks: thin shells around esus_pipeline.checks, on the assets that they judge.

A check of windows is partitioned as its asset is. In a range it is evaluated once, and that evaluation judges every
window, names those that failed and shows all of them in its plot. A check never raises: what cannot be judged has
failed, with the reason, and only the one that guards the plan stops anything.
"""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
from dagster import AssetCheckExecutionContext, AssetCheckResult, TimeWindow

from esus_pipeline import checks
from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsUnreachable
from esus_pipeline.checks import fresh, listing
from esus_pipeline.checks.plot import verdict_plot
from esus_pipeline.defs.common import now
from esus_pipeline.defs.partitions import WINDOWS, days, window_ends
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.quality import point_states
from esus_pipeline.defs.readings import clean_series, raw_bms_readings
from esus_pipeline.defs.resources import BmsResource, DataResource, SiteResource
from esus_pipeline.defs.weather import weather_forecast
from esus_pipeline.frames import CLEAN_SERIES, POINT_STATE, RAW_BMS_READINGS, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site
from esus_pipeline.weather import Issues, stored_forecasts

CONTEXT = timedelta(hours=24)
"""What the plot of a single window that failed shows before it."""

LOOKED_AT = 30
"""Newest evaluations of a check among which the one of the newest window is looked for."""

WHAT_TO_DO, WORST_VALUE, _JUDGED_UNTIL = "what_to_do", "worst_value", "judged_until"
"""Names of metadata."""

Judge = Callable[[Site, Archive, TimeWindow], checks.Day]


def _window_check(asset: dg.AssetsDefinition, name: str, rule: checks.Rule, judge: Judge, description: str,
                  context_before: bool = True, blocking: bool = False) -> dg.AssetChecksDefinition:  # fmt: skip
    """A check whose judgement belongs to a window; `judge` makes one day of it."""

    @dg.asset_check(asset=asset, name=name, description=description, partitions_def=WINDOWS, blocking=blocking)
    def _check(context: AssetCheckExecutionContext, site: SiteResource, data: DataResource) -> AssetCheckResult:
        building, archive, span = site.load(), data.archive(), context.partition_time_window

        def judged() -> checks.Verdict:
            judgement = [judge(building, archive, day) for day in days(span)]
            verdict = checks.verdict(rule, judgement)
            if verdict.passed or not context_before or span.end - span.start > STEP:
                return verdict
            before = TimeWindow(span.start - CONTEXT, span.start)
            return checks.verdict(rule, judgement, [judge(building, archive, day) for day in days(before)])

        return _result(building, rule.level, span.end, judged)

    return _check


def _completeness(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    return checks.judge_completeness(site, archive.read(room_frame(site), day.start, day.end), day.start, day.end)


def _plausibility(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    columns = ["point_id", "timestamp", "quality"]
    series = archive.read(CLEAN_SERIES, day.start, day.end, columns=columns)
    return checks.judge_plausibility(site, series, day.start, day.end)


def _points(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    columns = ["window", "point_id", "room", "quantity", "controller", "state", "since"]
    return checks.judge_points(site, archive.read(POINT_STATE, day.start, day.end, columns=columns))


def _controllers(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    columns = [
        "window", "point_id", "controller", "state", "age_minutes", "bound_minutes", "controller_late_minutes",
        "controller_bound_minutes",
    ]  # fmt: skip
    return checks.judge_controllers(site, archive.read(POINT_STATE, day.start, day.end, columns=columns))


def _issues(archive: Archive, day: TimeWindow) -> tuple[Issues, Sequence[datetime]]:
    ends = window_ends(day)
    return Issues(stored_forecasts(archive, ends)), ends


def _forecast_age(_: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    return checks.judge_forecast_age(*_issues(archive, day))


def _forecast_values(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    return checks.judge_forecast_values(site, *_issues(archive, day))


def _plans(site: Site, archive: Archive, day: TimeWindow) -> checks.Day:
    issues, ends = _issues(archive, day)
    columns = [
        "issued_at", "room", "valid_time", "shade_position", "heating_setpoint", "cooling_setpoint", "rule",
    ]  # fmt: skip
    plans = archive.read(SHADE_SETPOINT_SCHEDULE, day.start + STEP, day.end + STEP, columns=columns)
    return checks.judge_plans(site, plans, issues, ends)


completeness = _window_check(
    clean_series,
    "completeness",
    checks.COMPLETENESS,
    _completeness,
    "Are the values of the rooms there that the building's regular points should give?",
)
plausibility = _window_check(
    clean_series,
    "plausibility",
    checks.PLAUSIBILITY,
    _plausibility,
    "Can the readings be believed: how many carry a flag, and whose?",
)
point_health = _window_check(
    point_states,
    "points",
    checks.POINTS,
    _points,
    "Which points are late, missing, stuck or implausible?",
)
controller_lateness = _window_check(
    point_states,
    "controller_lateness",
    checks.CONTROLLERS,
    _controllers,
    "Does every controller deliver within the lateness that is normal for it?",
)
forecast_age = _window_check(
    weather_forecast,
    "age",
    checks.FORECAST_AGE,
    _forecast_age,
    "Is there a forecast that is young enough to steer by at the end of the window?",
)
forecast_values = _window_check(
    weather_forecast,
    "plausibility",
    checks.FORECAST_VALUES,
    _forecast_values,
    "Is the forecast in force weather, and does it reach to the end of the plan?",
)
publishable = _window_check(
    shade_setpoint_schedule,
    "publishable",
    checks.PUBLISHABLE,
    _plans,
    "May the plan leave the house? Nothing is delivered of a plan that is not whole, possible and safe.",
    context_before=False,
    blocking=True,
)


@dg.asset_check(
    asset=raw_bms_readings,
    name="freshness",
    description="How old is the newest reading now? Looks at the data, not at when a run succeeded. "
    "Judged after each poll that succeeded: where polls fail, the last result stays, and says when it looked.",
)
def freshness(site: SiteResource, data: DataResource) -> AssetCheckResult:
    """The newest reading of every controller against the wall clock."""
    building, archive, time = site.load(), data.archive(), now()

    def judge() -> checks.Verdict:
        rows = archive.read(RAW_BMS_READINGS, time - fresh.LOOK_BACK, None, columns=["point_id", "timestamp"])
        return checks.freshness(building, rows, time)

    return _result(building, checks.Level.WARNING, time, judge)


@dg.asset_check(
    asset=raw_bms_readings,
    name="schema_drift",
    description="Is the building's list of points still the one that points.csv was written from?",
)
def schema_drift(site: SiteResource, data: DataResource, bms: BmsResource) -> AssetCheckResult:
    """New, vanished and renamed points; the building is asked every few hours.

    That it gives no answer is told by the polls and is no drift: then the last list is judged.
    """
    building, time = site.load(), now()

    def ask() -> pd.DataFrame | None:
        try:
            with bms.client(building) as client:
                return client.metadata()
        except BmsUnreachable:
            return None

    def judge() -> checks.Verdict:
        return checks.drift(building, listing.current(data.point_list, ask, time), time)

    return _result(building, checks.Level.WARNING, time, judge)


@dg.asset_check(
    asset=clean_series,
    name="window_contacts",
    description="Does a window contact say what the temperature of its room says? Looks at the last seven days.",
)
def window_contacts(site: SiteResource, data: DataResource) -> AssetCheckResult:
    """Contacts that say the same all the time while the air of their room contradicts them."""
    building, archive, time = site.load(), data.archive(), now()

    return _result(building, checks.Level.WARNING, time, lambda: checks.judge_contacts(archive.read, building, time))


def newest_evaluation(instance: dg.DagsterInstance, key: dg.AssetCheckKey) -> dg.AssetCheckEvaluation | None:
    """The evaluation of the newest window; a backfill evaluates old windows later than that."""
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=LOOKED_AT)
    evaluations = [record.event.asset_check_evaluation for record in records if record.event is not None]
    judged = [(until, each) for each in evaluations if each is not None and (until := judged_until(each))]
    return max(judged, key=lambda each: each[0], default=(None, None))[1]


def judged_until(evaluation: dg.AssetCheckEvaluation) -> datetime | None:
    """Until when an evaluation judges: the end of its last window, or when it looked."""
    value = evaluation.metadata.get(_JUDGED_UNTIL)
    return datetime.fromtimestamp(float(str(value.value)), UTC) if value is not None else None


def _result(site: Site, level: checks.Level, until: datetime, judge: Callable[[], checks.Verdict]) -> AssetCheckResult:
    """The evaluation of a verdict; a verdict that cannot be made is a failure that says why."""
    metadata: dict[str, dg.MetadataValue] = {_JUDGED_UNTIL: dg.MetadataValue.timestamp(until)}
    try:
        verdict = judge()
        picture = verdict_plot(site, verdict)
    except Exception as error:  # noqa: BLE001  # a check that breaks must not break the run that it judges
        summary = f"It could not be judged: {type(error).__name__}: {error}"
        return AssetCheckResult(passed=False, severity=_severity(level), description=summary, metadata=metadata)
    if verdict.advice:
        metadata[WHAT_TO_DO] = dg.MetadataValue.text(verdict.advice)
    if verdict.worst:
        metadata["worst"] = _table(verdict.worst)
        metadata["worst_in_all"] = dg.MetadataValue.int(verdict.worst_in_all)
    if verdict.failed_windows:
        names = ", ".join(f"{window:%Y-%m-%d %H:%M}" for window in verdict.failed_windows)
        metadata["failed_windows_utc"] = dg.MetadataValue.text(names)
    if picture:
        encoded = base64.b64encode(picture.encode()).decode()
        metadata["plot"] = dg.MetadataValue.md(f"![plot](data:image/svg+xml;base64,{encoded})")
    return AssetCheckResult(
        passed=verdict.passed,
        severity=_severity(verdict.level),
        description=verdict.summary,
        metadata={**metadata, **verdict.numbers},
    )


def _severity(level: checks.Level) -> dg.AssetCheckSeverity:
    return dg.AssetCheckSeverity.ERROR if level is checks.Level.ERROR else dg.AssetCheckSeverity.WARN


def _table(records: Iterable[Mapping[str, str | int]]) -> dg.TableMetadataValue:
    """Without the columns that say nothing in any row."""
    rows = list(records)
    names = [name for name in rows[0] if name == "note" or any(row[name] for row in rows)]
    return dg.MetadataValue.table([dg.TableRecord({name: row[name] for name in names}) for row in rows])


ALERTING = [
    dg.AssetCheckKey(weather_forecast.key, "age"),
    dg.AssetCheckKey(weather_forecast.key, "plausibility"),
    dg.AssetCheckKey(shade_setpoint_schedule.key, "publishable"),
    dg.AssetCheckKey(clean_series.key, "window_contacts"),
]
"""Checks of which people are told when they fail; of points and controllers the point states tell, of the
building's list that list, one by one."""

CHECKS = [
    completeness,
    plausibility,
    point_health,
    controller_lateness,
    forecast_age,
    forecast_values,
    publishable,
    freshness,
    schema_drift,
    window_contacts,
]
