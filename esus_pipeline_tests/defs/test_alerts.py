"""The sensor `alerts` on a real instance, with a real mail server and a real webhook at the other end."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pandas as pd
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.run_request import InstigatorType
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, TickData, TickStatus
from dagster._utils.error import SerializableErrorInfo

from esus_pipeline.alerts import Condition, Look, system
from esus_pipeline.alerts.reconcile import Policy, reconcile
from esus_pipeline.alerts.state import Kind, Message, State
from esus_pipeline.archive import Archive
from esus_pipeline.checks import listing
from esus_pipeline.defs import alerts
from esus_pipeline.defs.alerts import (
    alert_sensor,
    automation_conditions,
    check_conditions,
    delivery_conditions,
    look,
    run_conditions,
)
from esus_pipeline.defs.backlog import Backlog
from esus_pipeline.defs.checks import forecast_age
from esus_pipeline.defs.common import REPAIR_TAG
from esus_pipeline.defs.partitions import floor
from esus_pipeline.defs.resources import DataResource, resources
from esus_pipeline.frames import POINT_STATE, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.settings import Settings
from esus_pipeline.site import load_site
from esus_pipeline_tests.alerts.receivers import mail_server, webhook

SITE = load_site("tmv23")
NOW = floor(datetime.now(UTC))
LIVE = {"dagster/schedule_name": "every_quarter_hour"}


def judged(archive: Archive, end: datetime, late: tuple[str, ...] = ()) -> None:
    """Point states of the window that ends then; every point of the late controllers is late with it."""
    rows = [
        {
            "window": end - STEP,
            "point_id": point.id,
            "room": point.room,
            "quantity": point.quantity,
            "controller": point.controller,
            "state": "late" if point.controller in late else "current",
            "since": end - timedelta(hours=3) if point.controller in late else pd.NaT,
            "age_minutes": 180.0 if point.controller in late else 5.0,
            "bound_minutes": 60.0,
            "controller_late_minutes": 180.0 if point.controller in late else 5.0,
            "controller_bound_minutes": 45.0,
        }
        for point in SITE.points
    ]
    table = pd.DataFrame(rows)
    for name in ("window", "since"):
        table[name] = pd.to_datetime(table[name], utc=True)
    archive.replace(POINT_STATE, POINT_STATE.conform(table), end - STEP, end)


def ran(instance: DagsterInstance, status: DagsterRunStatus, **tags: str) -> None:
    instance.add_run(dg.DagsterRun("quarter_hour", str(uuid4()), tags=tags))
    [newest] = instance.get_run_records(limit=1)
    failed = status is DagsterRunStatus.FAILURE
    report = instance.report_run_failed if failed else instance.report_run_canceled
    if failed:
        report(newest.dagster_run, "the building could not be read")
    else:
        kind = dg.DagsterEventType.RUN_SUCCESS
        instance.report_dagster_event(dg.DagsterEvent(kind.value, "quarter_hour"), newest.dagster_run.run_id)


def kinds(instance: DagsterInstance) -> dict[str, str]:
    return {each.key: each.severity.word for each in run_conditions(instance, datetime.now(UTC))}


def test_a_failed_run_is_wrong_until_the_next_of_its_kind_succeeds(instance):
    assert kinds(instance) == {}
    ran(instance, DagsterRunStatus.SUCCESS, **LIVE)
    ran(instance, DagsterRunStatus.FAILURE, **LIVE)
    ran(instance, DagsterRunStatus.SUCCESS, **{REPAIR_TAG: "late"})
    assert kinds(instance) == {"runs:live": "warning"}
    [condition] = run_conditions(instance, datetime.now(UTC))
    assert "the building could not be read" in " ".join(condition.details)
    assert condition.link.startswith("/runs/")
    for _ in range(2):
        ran(instance, DagsterRunStatus.FAILURE, **LIVE)
    assert kinds(instance) == {"runs:live": "error"}
    ran(instance, DagsterRunStatus.SUCCESS, **LIVE)
    assert kinds(instance) == {}


def ticked(instance: DagsterInstance, name: str, *statuses: TickStatus) -> None:
    from esus_pipeline_tests.defs.test_automation import ORIGIN

    origin = ORIGIN.get_instigator_origin(name)
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING)
    instance.add_instigator_state(state)
    for number, status in enumerate(statuses):
        error = SerializableErrorInfo("it broke", [], "ValueError") if status is TickStatus.FAILURE else None
        instance.create_tick(
            TickData(
                origin.get_id(),
                name,
                InstigatorType.SENSOR,
                status,
                1e9 + number,
                run_ids=[],
                error=error,
                selector_id=state.selector_id,
            )
        )


def test_a_sensor_that_keeps_failing_is_wrong_and_a_hiccup_is_not(instance):
    ticked(instance, "gaps", TickStatus.SUCCESS, TickStatus.FAILURE, TickStatus.FAILURE)
    assert automation_conditions(instance) == []
    ticked(instance, "late_readings", *[TickStatus.FAILURE] * 3)
    [condition] = automation_conditions(instance)
    assert condition.summary == "the sensor late_readings keeps failing"
    assert condition.details == ("it broke",)


def test_windows_that_wait_to_be_delivered_are_told_of_after_an_hour():
    waiting = Backlog()
    assert delivery_conditions(waiting, NOW) == []
    waiting.add("influx_schedule", [NOW - timedelta(hours=5), NOW - timedelta(hours=5) + STEP], NOW)
    assert delivery_conditions(waiting, NOW + timedelta(minutes=59)) == []
    [condition] = delivery_conditions(waiting, NOW + timedelta(hours=1))
    assert condition.since == NOW
    assert condition.details == ("2 windows wait, 0 deliveries failed in a row",)


def issued(archive: Archive, at: datetime) -> None:
    columns = SHADE_SETPOINT_SCHEDULE.schema
    row = {name: "x" if str(columns.field(name).type) == "string" else 0.0 for name in columns.names}
    stamp = pd.Timestamp(at)
    archive.merge(SHADE_SETPOINT_SCHEDULE, pd.DataFrame([{**row, "issued_at": stamp, "valid_time": stamp}]))


def test_a_stale_plan_is_wrong_and_a_fresh_installation_is_not(instance, tmp_path):
    data = DataResource(data_dir=str(tmp_path))
    assert look(instance, SITE, data, NOW).conditions == ()
    issued(data.archive(), NOW - timedelta(hours=2))
    [condition] = look(instance, SITE, data, NOW).conditions
    assert (condition.key, condition.since) == ("plan:stale", NOW - timedelta(hours=2))


def told(
    happens: Callable[[int, datetime], None], looked: Callable[[datetime], Iterable[Condition]], quarters: int
) -> list[Message]:
    """Messages of ticks every five minutes, the digest apart, while something happens at each quarter of an hour."""
    state, messages = State(), []
    for tick in range(3 * quarters):
        time = NOW + tick * timedelta(minutes=5)
        if tick % 3 == 0:
            happens(tick // 3, time)
        state, made = reconcile(state, Look.of(looked(time)), time, Policy(SITE.zone))
        messages += [each for each in made if each.kind is not Kind.DIGEST]
    return messages


@pytest.mark.parametrize("kind", ["check", "run"])
def test_what_fails_in_one_window_of_four_is_one_start_at_once_and_one_end(instance, kind):
    flutters = 8

    def happens(quarter: int, time: datetime) -> None:
        good = quarter >= flutters or quarter % 4 > 0
        if kind == "run":
            ran(instance, DagsterRunStatus.SUCCESS if good else DagsterRunStatus.FAILURE, **LIVE)
            return
        key, until = forecast_age.check_key, dg.MetadataValue.timestamp(time)
        instance.report_runless_asset_event(
            dg.AssetCheckEvaluation(key.asset_key, key.name, good, {"judged_until": until})
        )

    def looked(time: datetime) -> list[Condition]:
        return run_conditions(instance, time) if kind == "run" else check_conditions(instance, time)

    start, end = told(happens, looked, quarters=flutters + 2)
    assert (start.kind, start.created_at, end.kind) == (Kind.START, NOW, Kind.END)


def test_a_plan_that_is_made_once_an_hour_is_one_message(tmp_path):
    archive = Archive(tmp_path / "archive")

    def happens(quarter: int, time: datetime) -> None:
        if quarter % 4 == 0:
            issued(archive, time)

    [start] = told(happens, lambda time: system.plan(archive, time), quarters=24)
    assert start.kind is Kind.START


def test_points_that_differ_in_the_buildings_list_are_named_once_in_one_message(instance, tmp_path):
    data = DataResource(data_dir=str(tmp_path))
    paths = {point.id: point.path for point in SITE.points}
    gone = SITE.points[0]

    def listed(new: int) -> pd.DataFrame:
        there = {id: path for id, path in paths.items() if id != gone.id or not new}
        there |= {number: f"/new/{number}" for number in range(1, new + 1)}
        return pd.DataFrame({"point_id": list(there), "path": list(there.values())})

    def happens(quarter: int, time: datetime) -> None:
        if quarter in (0, 50):
            answer = listed(2 if quarter == 0 else 3)
            listing.current(data.point_list, lambda: answer, time)

    listing.current(data.point_list, lambda: listed(0), NOW - timedelta(days=1))
    first, second = told(happens, lambda time: look(instance, SITE, data, time).conditions, quarters=60)
    said = [entry.summary for entry in first.sections[0].entries]
    assert (first.kind, first.created_at) == (Kind.START, NOW)
    assert sorted(said) == [
        f"{gone.quantity} of {gone.room or 'building'} ({gone.id}): vanished",
        "point 1: new: /new/1",
        "point 2: new: /new/2",
    ]
    assert [entry.summary for entry in second.sections[0].entries] == ["point 3: new: /new/3"]
    listing.current(data.point_list, lambda: listed(200), NOW + timedelta(days=1))
    found = list(system.point_list(SITE, data.point_list, NOW + timedelta(days=1)))
    assert len(found) == system.MOST_DIFFERENCES + 1
    assert found[-1].summary == "151 more points vanished, were renamed or are new"
    assert look(instance, SITE, DataResource(data_dir=str(tmp_path / "elsewhere")), NOW).conditions == ()


def test_what_cannot_be_looked_at_is_named_and_blinds_its_own_source_alone(instance, tmp_path):
    data = DataResource(data_dir=str(tmp_path))
    judged(data.archive(), NOW - timedelta(hours=5))
    seen = look(instance, SITE, data, NOW)
    assert seen.blind == {"points"}
    assert [condition.key for condition in seen.conditions] == ["look:points"]
    for path in (tmp_path / "archive" / "point_states").glob("*.parquet"):
        path.write_bytes(b"damage")
    seen = look(instance, SITE, data, NOW)
    assert seen.blind == {"points"}
    assert {condition.key for condition in seen.conditions} >= {"look:points"}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[datetime]:
    """It is the last of these for the looks and for the messages; they begin hours after the daily digest."""
    times = [NOW.replace(hour=10, minute=0)]
    monkeypatch.setattr(alerts, "now", lambda: times[-1])
    return times


def test_the_sensor_tells_of_an_outage_within_its_tick_once_and_of_its_end_once(instance, tmp_path, clock, monkeypatch):
    archive = Archive(tmp_path / "data" / "archive")
    busiest = max({point.controller for point in SITE.points}, key=[point.controller for point in SITE.points].count)
    with mail_server() as box, webhook() as hook:
        monkeypatch.setenv("ESUS_ALERT_SMTP_URL", f"smtp+plain://127.0.0.1:{box.port}")
        monkeypatch.setenv("ESUS_ALERT_FROM", "esus@example.org")
        monkeypatch.setenv("ESUS_ALERT_TO", "engineer@example.org, operator@example.org")
        monkeypatch.setenv("ESUS_ALERT_WEBHOOK_URL", hook.url)
        given = resources(Settings(data_dir=tmp_path / "data"))

        def tick() -> str:
            context = dg.build_sensor_context(
                instance=instance, resources={name: given[name] for name in ("site", "data")}
            )
            result = alert_sensor.evaluate_tick(context)
            assert result.run_requests == []
            return result.skip_message

        for quarter in range(12):
            judged(archive, clock[-1], (busiest,) if 2 <= quarter < 7 else ())
            for _ in range(3):
                said = tick()
                clock.append(clock[-1] + timedelta(minutes=5))
            if quarter == 2:
                assert (len(box.mails), len(hook.posts)) == (2, 1)
    assert "canary" not in said
    assert sorted(box.recipients) == ["engineer@example.org"] * 2 + ["operator@example.org"] * 2
    assert [(post["kind"], post["group"]) for post in hook.posts] == [("start", busiest), ("end", busiest)]
    assert (tmp_path / "data" / "heartbeat").exists()
