"""The asset checks through Dagster: one window, a range in one evaluation each, and the guard before the plan."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from dagster import AssetCheckEvaluation, DagsterInstance

from esus_pipeline.archive import Archive
from esus_pipeline.control import course
from esus_pipeline.defs import checks
from esus_pipeline.defs.alerts import check_conditions
from esus_pipeline.defs.checks import CHECKS, publishable, schema_drift, window_contacts
from esus_pipeline.defs.jobs import ASSETS
from esus_pipeline.defs.partitions import WINDOWS, floor, key_of, range_tags
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.frames import POINT_STATE, QUARANTINE, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline_tests.defs.test_chain import CANARY, given, set_credentials
from esus_pipeline_tests.simulator.conftest import serving

WINDOW = floor(datetime.now(UTC)).replace(hour=10, minute=0) - timedelta(days=2)
NAMES = {
    ("raw_bms_readings", "freshness"),
    ("raw_bms_readings", "schema_drift"),
    ("clean_series", "completeness"),
    ("clean_series", "plausibility"),
    ("clean_series", "window_contacts"),
    ("point_states", "points"),
    ("point_states", "controller_lateness"),
    ("weather_forecast", "age"),
    ("weather_forecast", "plausibility"),
    ("shade_setpoint_schedule", "publishable"),
}
UNPARTITIONED = {"freshness", "schema_drift", "window_contacts"}


@pytest.fixture(scope="module")
def simulator():
    with serving(SimulatorConfig(request_s=0, point_s=0, username="demo", password=CANARY)) as url:
        yield url


def evaluated(result: dg.ExecuteInProcessResult) -> dict[tuple[str, str], AssetCheckEvaluation]:
    found = result.get_asset_check_evaluations()
    by_name = {(each.asset_key.to_user_string(), each.check_name): each for each in found}
    assert len(by_name) == len(found)
    return by_name


def test_a_check_is_partitioned_where_its_judgement_belongs_to_a_window_and_one_blocks():
    specs = [spec for check in CHECKS for spec in check.check_specs]
    assert {(spec.asset_key.to_user_string(), spec.name) for spec in specs} == NAMES
    assert {spec.name for spec in specs if spec.partitions_def is None} == UNPARTITIONED
    assert {spec.partitions_def for spec in specs} == {None, WINDOWS}
    assert [spec.name for spec in specs if spec.blocking] == ["publishable"]
    assert all(spec.description for spec in specs)


def test_one_window_and_a_range_are_judged_by_one_evaluation_of_each_check(instance, simulator, tmp_path, monkeypatch):
    set_credentials(monkeypatch, simulator, CANARY)
    last = WINDOW + 2 * STEP

    def run(**how: object) -> dict[tuple[str, str], AssetCheckEvaluation]:
        result = dg.materialize([*ASSETS, *CHECKS], instance=instance, resources=given(tmp_path, simulator), **how)
        assert result.success
        return evaluated(result)

    ranged = run(tags=range_tags(key_of(WINDOW), key_of(last)))
    assert set(ranged) == NAMES
    windows = {name: each.metadata["windows"].value for name, each in ranged.items() if "windows" in each.metadata}
    assert windows == dict.fromkeys({name for name in NAMES if name[1] not in UNPARTITIONED}, 3)
    assert ranged["shade_setpoint_schedule", "publishable"].passed
    assert ranged["raw_bms_readings", "schema_drift"].passed
    assert ranged["clean_series", "window_contacts"].metadata["contacts"].value == 6
    fresh = ranged["raw_bms_readings", "freshness"]
    assert not fresh.passed  # the readings are two days old, however new the run is
    assert "what_to_do" in fresh.metadata
    assert (
        ranged["clean_series", "completeness"].metadata["plot"].value.startswith("![plot](data:image/svg+xml;base64,")
    )
    records = instance.event_log_storage.get_asset_check_execution_history(publishable.check_key, limit=100)
    assert [(record.partition, record.status.value) for record in records] == [(None, "SUCCEEDED")]
    single = run(partition_key=key_of(last), selection=dg.AssetSelection.assets("clean_series"))
    assert single["clean_series", "completeness"].partition == key_of(last)
    assert "windows" not in single["clean_series", "completeness"].metadata


def test_points_that_fall_silent_are_named_in_a_capped_table_with_a_plot_of_the_day_before(
    instance, tmp_path, monkeypatch
):
    set_credentials(monkeypatch, "http://127.0.0.1:9", CANARY)
    resources = given(tmp_path, "http://127.0.0.1:9")
    site = resources["site"].load()
    rows = pd.DataFrame(
        [
            {
                "window": pd.Timestamp(window),
                "point_id": point.id,
                "room": point.room,
                "quantity": point.quantity,
                "controller": point.controller,
                "state": "missing",
                "since": pd.Timestamp(WINDOW),
                "age_minutes": 600.0,
                "bound_minutes": 60.0,
                "controller_late_minutes": 5.0,
                "controller_bound_minutes": 45.0,
            }
            for window in (WINDOW - STEP, WINDOW)
            for point in site.points
        ]
    )
    resources["data"].archive().merge(POINT_STATE, POINT_STATE.conform(rows))
    result = dg.materialize(
        [*ASSETS, checks.point_health],
        selection=dg.AssetSelection.checks(checks.point_health),
        instance=instance,
        resources=resources,
        tags=range_tags(key_of(WINDOW), key_of(WINDOW)),
    )
    [each] = result.get_asset_check_evaluations()
    assert (each.passed, each.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert len(each.metadata["worst"].records) == 50
    assert each.metadata["worst_in_all"].value == len(site.points)
    assert "windows" not in each.metadata
    assert each.metadata["plot"].value.startswith("![plot](data:image/svg+xml;base64,")


def judged(instance: DagsterInstance, folder: Path, check: dg.AssetChecksDefinition) -> AssetCheckEvaluation:
    """The evaluation of one check while nobody answers for the building."""
    result = dg.materialize(
        [*ASSETS, check],
        selection=dg.AssetSelection.checks(check),
        instance=instance,
        resources=given(folder, "http://127.0.0.1:9"),
        tags=range_tags(key_of(WINDOW), key_of(WINDOW)),
    )
    assert result.success
    [each] = result.get_asset_check_evaluations()
    return each


def test_a_check_that_breaks_fails_and_the_run_goes_on(instance, tmp_path, monkeypatch):
    set_credentials(monkeypatch, "http://127.0.0.1:9", CANARY)

    def broken(*_: object) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(checks.checks, "judge_contacts", broken)
    each = judged(instance, tmp_path, window_contacts)
    assert not each.passed
    assert "could not be judged: OSError" in str(each.description)
    [condition] = check_conditions(instance, datetime.now(UTC))
    assert condition.summary == "clean_series: the check window_contacts failed"


def test_a_building_that_does_not_answer_has_not_drifted(instance, tmp_path, monkeypatch):
    set_credentials(monkeypatch, "http://127.0.0.1:9", CANARY)  # nobody answers there
    each = judged(instance, tmp_path, schema_drift)
    assert each.passed
    assert "gave no list when it was asked; nothing is judged" in str(each.description)
    assert CANARY not in str(each)


@dg.asset(deps=[shade_setpoint_schedule], partitions_def=WINDOWS, backfill_policy=dg.BackfillPolicy.single_run())
def delivered() -> None:
    """What stands for every delivery of a plan."""


def planned(instance: DagsterInstance, folder: Path, windows: int = 3) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [*ASSETS, publishable, delivered],
        selection=dg.AssetSelection.assets(shade_setpoint_schedule, delivered),
        instance=instance,
        resources=given(folder, "http://127.0.0.1:9"),
        tags=range_tags(key_of(WINDOW), key_of(WINDOW + (windows - 1) * STEP)),
        raise_on_error=False,
    )


def test_a_plan_that_may_not_leave_is_not_stored_not_shown_not_delivered_and_people_are_told(
    instance, tmp_path, monkeypatch
):
    set_credentials(monkeypatch, "http://127.0.0.1:9", CANARY)
    archive, page = Archive(tmp_path / "data" / "archive"), tmp_path / "data" / "plan" / "index.html"
    good = planned(instance, tmp_path)
    assert good.success
    shown = page.read_text(encoding="utf-8")
    made = course._made

    def wrong(*given: object):
        stored, standing, [*before, last] = made(*given)
        place = last.plan.table.column_names.index("shade_position")
        lowered = np.ones(len(last.plan.table))  # though nothing is known
        broken = last.plan.table.set_column(place, last.plan.table.schema.field(place), [lowered])
        return (
            stored,
            standing,
            [*before, course.Made(type(last.plan)(broken, last.plan.trace), last.optimum, last.people)],
        )

    monkeypatch.setattr(course, "_made", wrong)
    bad = planned(instance, tmp_path)
    assert not bad.success
    [each] = bad.get_asset_check_evaluations()
    assert (each.passed, each.severity) == (False, dg.AssetCheckSeverity.ERROR)
    assert each.metadata["failed_windows_utc"].value == f"{WINDOW + 2 * STEP:%Y-%m-%d %H:%M}"
    assert not bad.asset_materializations_for_node("delivered")
    assert set(archive.read(SHADE_SETPOINT_SCHEDULE)["issued_at"]) == {WINDOW + STEP, WINDOW + 2 * STEP}
    assert page.read_text(encoding="utf-8") == shown
    [row] = archive.read(QUARANTINE).to_dict("records")
    assert (row["source"], row["reason"]) == ("plan", "unpublishable_plan")
    assert "a shade is not open" in row["record"]
    assert "check:shade_setpoint_schedule:publishable" in [c.key for c in check_conditions(instance, datetime.now(UTC))]
    monkeypatch.setattr(course, "_made", made)
    assert planned(instance, tmp_path).success
    assert check_conditions(instance, datetime.now(UTC)) == []
