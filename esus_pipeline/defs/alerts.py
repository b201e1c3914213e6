"""Sensor `alerts`: once a minute, what is wrong anywhere becomes messages. The looks at Dagster itself stand here.

It asks for no run. Everything that it does is remembered in ESUS_DATA_DIR/alerts, so a tick may be repeated. A sensor
that keeps failing is told of by this one; if this one fails, the heartbeat stops and a watcher outside tells.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import dagster as dg
from dagster import DagsterEventType, DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord
from dagster._core.scheduler.instigation import TickStatus

from esus_pipeline import connect
from esus_pipeline.alerts import SETTLE, Condition, Look, Severity, system
from esus_pipeline.defs.backlog import Backlog
from esus_pipeline.defs.checks import ALERTING, WHAT_TO_DO, judged_until, newest_evaluation
from esus_pipeline.defs.common import REPAIR_TAG, SENSOR_STATUS, now
from esus_pipeline.defs.resources import DataResource, SiteResource
from esus_pipeline.defs.sinks import backlog
from esus_pipeline.site import Site

RUNS_LOOKED_AT = 40
RUN_MEMORY = timedelta(hours=24)
"""A failed run is not told of longer than this when no other of its kind follows."""
LATE_DELIVERY = timedelta(hours=1)
"""Windows that wait longer than this to be delivered are told of."""
FAILED_TICKS = 3
"""So many failed ticks in a row are no hiccup."""
PATIENCE = timedelta(minutes=10)
"""How long a source of conditions may be unreadable before somebody is told."""
LIVE_SCHEDULE, LIVE_FAILED = "every_quarter_hour", "runs:live"


@dg.sensor(
    name="alerts",
    minimum_interval_seconds=60,
    default_status=SENSOR_STATUS,
)
def alert_sensor(context: dg.SensorEvaluationContext, site: SiteResource, data: DataResource) -> dg.SkipReason:
    """Look everywhere, tell by mail and chat what began and what is over, and let the heart beat."""
    building = site.load()
    alerts = replace(connect.alerts(data.settings(), building), clock=now)
    tick = alerts.tick(look(context.instance, building, data, now()))
    for message in tick.messages:
        context.log.info(f"{message.kind}: {message.title}")
    for problem in tick.problems:
        context.log.warning(problem)
    ways = ", ".join(sender.channel for sender in alerts.senders) or "nobody: set ESUS_ALERT_SMTP_URL or _WEBHOOK_URL"
    problems = "".join(f"; {problem}" for problem in tick.problems)
    return dg.SkipReason(
        f"{tick.open} open, {len(tick.messages)} new messages, {tick.sent} sent, {tick.waiting} waiting, "
        f"telling {ways}{problems}"
    )


def look(instance: DagsterInstance, site: Site, data: DataResource, time: datetime) -> Look:
    """One look at everything; what cannot be looked at is named, and costs nobody else his look."""
    archive = data.archive()
    looks: dict[str, Callable[[], Iterable[Condition]]] = {
        "points": lambda: system.points(site, archive, time),
        "plan": lambda: system.plan(archive, time),
        "point list": lambda: system.point_list(site, data.point_list, time),
        "disk": lambda: system.disk(archive),
        "runs": lambda: run_conditions(instance, time),
        "automation": lambda: automation_conditions(instance),
        "checks": lambda: check_conditions(instance, time),
        "delivery": lambda: delivery_conditions(backlog(instance), time),
    }
    found: list[Condition] = []
    blind = []
    for source, make in looks.items():
        try:
            found += make()
        except Exception as error:  # noqa: BLE001  # one source that fails must not silence the others
            blind.append(source)
            found.append(_blind(source, error))
    return Look.of(found, blind)


def _blind(source: str, error: Exception) -> Condition:
    return Condition(
        key=f"look:{source}",
        source="looks",
        group="alerts",
        severity=Severity.WARNING,
        summary=f"{source} cannot be judged",
        advice="See the newest runs and the log of the sensor `alerts`.",
        link="/runs",
        details=(f"{type(error).__name__}: {error}",),
        cause=LIVE_FAILED,
        patience=PATIENCE,
    )


def check_conditions(instance: DagsterInstance, time: datetime) -> list[Condition]:
    """Checks whose newest evaluation failed, of those that judge what no point state tells.

    An evaluation of an old window (a backfill) is not about now; then the newest one of a recent window counts.
    """
    found = []
    for key in ALERTING:
        newest = newest_evaluation(instance, key)
        if newest is None or newest.passed:
            continue
        advice = newest.metadata.get(WHAT_TO_DO)
        asset = key.asset_key.to_user_string()
        found.append(
            Condition(
                key=f"check:{asset}:{key.name}",
                source="checks",
                group=asset,
                severity=Severity.ERROR if newest.severity is dg.AssetCheckSeverity.ERROR else Severity.WARNING,
                summary=f"{asset}: the check {key.name} failed",
                advice=str(advice.value) if advice else "Open the check; it says what to do.",
                since=judged_until(newest),
                link=f"/assets/{asset}?view=checks&checkDetail={key.name}",
                details=(newest.description or "",),
                settle=SETTLE,
            )
        )
    return found


def delivery_conditions(waiting: Backlog, time: datetime) -> list[Condition]:
    """Whether windows wait to be delivered to InfluxDB for longer than a hiccup lasts."""
    since = min((piece.since for pieces in waiting.pieces.values() for piece in pieces), default=time)
    if time - since < LATE_DELIVERY:
        return []
    return [
        Condition(
            key="delivery:backlog",
            source="delivery",
            group="delivery",
            severity=Severity.WARNING,
            summary="InfluxDB and Grafana are behind: windows wait to be delivered",
            advice="See the newest message of the sensor `deliveries`; nothing is lost, it is delivered in order.",
            since=since,
            link="/automation?search=deliveries",
            details=(f"{waiting.waiting()} windows wait, {waiting.failures} deliveries failed in a row",),
        )
    ]


def run_conditions(instance: DagsterInstance, time: datetime) -> list[Condition]:
    """For each kind of run: whether the newest that ended has failed, and since when all have."""
    ended = dg.RunsFilter(
        statuses=[DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE], updated_after=time - RUN_MEMORY
    )
    kinds: dict[str, list[RunRecord]] = {}
    for record in instance.get_run_records(ended, limit=RUNS_LOOKED_AT, order_by="update_timestamp"):
        kinds.setdefault(_kind(record.dagster_run), []).append(record)
    return [
        _failed_runs(instance, kind, records)
        for kind, records in kinds.items()
        if records[0].dagster_run.status is DagsterRunStatus.FAILURE
    ]


def _kind(run: DagsterRun) -> str:
    if REPAIR_TAG in run.tags:
        return "repair"
    by = run.tags.get("dagster/schedule_name") or run.tags.get("dagster/sensor_name") or "by hand"
    return "live" if by == LIVE_SCHEDULE else by


def _failed_runs(instance: DagsterInstance, kind: str, records: Sequence[RunRecord]) -> Condition:
    failed = []
    for record in records:
        if record.dagster_run.status is not DagsterRunStatus.FAILURE:
            break
        failed.append(record)
    run, first = failed[0].dagster_run, failed[-1]
    many = len(failed) >= FAILED_TICKS
    return Condition(
        key=f"runs:{kind}",
        source="runs",
        group="runs",
        severity=Severity.ERROR if many and kind == "live" else Severity.WARNING,
        summary=f"{'runs' if many else 'a run'} of {run.job_name} failed ({kind})",
        advice="Open the run; docs/operating.md says what its message means. Missing windows are asked for again.",
        since=datetime.fromtimestamp(first.end_time, UTC) if first.end_time else None,
        link=f"/runs/{run.run_id}",
        details=(f"{len(failed)} in a row", _why(instance, run.run_id)),
        settle=SETTLE,
    )


def _why(instance: DagsterInstance, run_id: str) -> str:
    """The innermost message of the step that failed, or of the run."""
    for kind in (DagsterEventType.STEP_FAILURE, DagsterEventType.RUN_FAILURE):
        for entry in instance.all_logs(run_id, of_type=kind):
            event = entry.dagster_event
            if event is None:
                continue
            error = event.step_failure_data.error if kind is DagsterEventType.STEP_FAILURE else None
            while error is not None and error.cause is not None:
                error = error.cause
            return f"{event.step_key}: {error.message}" if error else event.message or "it does not say why"
    return "it does not say why"


def automation_conditions(instance: DagsterInstance) -> list[Condition]:
    """Sensors and schedules whose last ticks all failed; the one that is running now tells by its heartbeat."""
    found = []
    for state in instance.all_instigator_state():
        ticks = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=FAILED_TICKS)
        if len(ticks) < FAILED_TICKS or any(tick.status is not TickStatus.FAILURE for tick in ticks):
            continue
        error = ticks[0].error
        kind = state.instigator_type.value.lower()
        found.append(
            Condition(
                key=f"automation:{state.instigator_name}",
                source="automation",
                group="automation",
                severity=Severity.ERROR,
                summary=f"the {kind} {state.instigator_name} keeps failing",
                advice="Open it in the UI; its newest tick says why.",
                since=datetime.fromtimestamp(ticks[-1].timestamp, UTC),
                link=f"/automation?search={state.instigator_name}",
                details=(error.message if error else "",),
            )
        )
    return found
