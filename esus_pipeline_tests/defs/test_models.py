"""The nightly asset in a real run: from the stored tables to a model in the archive, its checks and its metadata."""

from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest

from esus_pipeline.connect import archive
from esus_pipeline.control.model.now import RoomsNow
from esus_pipeline.control.model.training import from_frame
from esus_pipeline.definitions import defs
from esus_pipeline.defs.models import every_night, room_models
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.running import windows_under_way
from esus_pipeline.frames import ROOM_MODELS, STEP
from esus_pipeline.readings import room_frame
from esus_pipeline.settings import Settings
from esus_pipeline_tests.defs.stored_room import NIGHT, ROOM, SITE, store

PARTITION = f"{NIGHT - timedelta(days=1):%Y-%m-%d}"


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    settings = Settings(data_dir=tmp_path_factory.mktemp("models"))
    store(archive(settings))
    return settings


def run(settings: Settings, instance: dg.DagsterInstance) -> dg.ExecuteInProcessResult:
    return dg.materialize(
        [room_models],
        instance=instance,
        resources=resources(settings),
        partition_key=PARTITION,
        selection=[room_models],
    )


def test_a_night_leaves_a_model_for_the_room_that_spoke_and_a_reason_for_the_others(stored, instance):
    run(stored, instance)
    first = archive(stored).read(ROOM_MODELS)
    result = run(stored, instance)
    assert result.success
    rows = archive(stored).read(ROOM_MODELS)
    pd.testing.assert_frame_equal(rows, first)
    assert list(rows["room"]) == sorted(SITE.room_ids)
    assert set(rows["trained_at"]) == {pd.Timestamp(NIGHT)}
    mine, others = rows[rows["room"] == ROOM].iloc[0], rows[rows["room"] != ROOM]
    assert (mine["version"], mine["taken"]) == (1, True)
    assert mine["rmse_24h"] < mine["persistence_24h"]
    assert (others["version"] == 0).all()
    assert others["verdict"].str.contains("unknown: air 100%").all()
    assert from_frame(rows, SITE)[ROOM].k_open == pytest.approx(0.6, abs=0.25)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    assert set(checks) == {"predicts_1_h", "predicts_6_h", "predicts_24_h"}
    assert checks["predicts_24_h"].passed
    assert checks["predicts_24_h"].metadata["rooms_judged"].value == 1
    assert checks["predicts_24_h"].metadata["rooms_learned_but_not_judged"].value == 0
    [event] = result.asset_materializations_for_node("room_models")
    assert event.metadata["models_taken"].value == 1
    assert f"| {ROOM} | 1 |" in event.metadata["lessons"].value
    steps = event.metadata["steps_that_would_teach"].value
    assert "| Sun 2026-03-15 | 1.229, 1.231, 1.233 | " in steps
    assert "shades closed" in steps


@pytest.fixture(scope="module")
def aired(tmp_path_factory):
    """The same days with a window that is open every afternoon."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("aired"))
    folder, table = archive(settings), room_frame(SITE)
    store(folder)
    rows = folder.read(table)
    open_now = (rows["room"] == ROOM) & rows["timestamp"].dt.hour.between(13, 16)
    folder.merge(table, rows.assign(window_open=rows["window_open"].mask(open_now, 1.0)))
    return settings


def test_a_room_that_is_aired_every_day_is_judged_an_hour_ahead_and_not_accused_of_a_day(aired, instance):
    result = run(aired, instance)
    checks = {check.check_name: check for check in result.get_asset_check_evaluations()}
    found = {name: check.metadata["rooms_judged"].value for name, check in checks.items()}
    silent = {name: check.metadata["rooms_learned_but_not_judged"].value for name, check in checks.items()}
    assert found == {"predicts_1_h": 1, "predicts_6_h": 1, "predicts_24_h": 0}
    assert silent == {"predicts_1_h": 0, "predicts_6_h": 0, "predicts_24_h": 1}
    assert checks["predicts_24_h"].passed
    assert checks["predicts_24_h"].description == "0 rooms judged"


def test_a_plan_is_told_the_model_the_state_and_the_people_that_were_known_at_its_instant(stored, instance):
    run(stored, instance)
    folder = archive(stored)
    as_of = NIGHT - timedelta(hours=6)
    before = RoomsNow(SITE, folder, as_of).at(as_of)
    assert before.models == {}
    assert set(before.states) == {ROOM}
    last = folder.read(room_frame(SITE), as_of - STEP, as_of, room=[ROOM])["air_temperature"].iloc[0]
    assert before.states[ROOM].x[0] == pytest.approx(last, abs=0.3)
    people = before.people.groupby("room")
    assert set(people.groups) == set(SITE.room_ids)
    assert (people.size() == 192).all()
    assert set(before.people["issued_at"]) == {pd.Timestamp(as_of)} == set(people["valid_time"].min())
    assert before.people.drop(columns="habits_until").notna().all(axis=None)
    learned = before.people[before.people["habits_until"].notna()]
    assert set(learned["room"]) == {ROOM}
    assert set(learned["habits_until"]) == {pd.Timestamp(as_of).normalize()}
    after = RoomsNow(SITE, folder, NIGHT).at(NIGHT)
    assert set(after.models) == {ROOM}
    assert after.models[ROOM].version == 1
    late = RoomsNow(SITE, folder, NIGHT).at(NIGHT + timedelta(hours=5))
    assert late.states == {}


def test_a_night_under_way_is_no_window_under_way():
    with dg.DagsterInstance.ephemeral() as other:
        other.create_run_for_job(
            defs.resolve_job_def("nightly"), status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": PARTITION}
        )
        assert windows_under_way(other) == []


def test_the_schedule_asks_for_the_day_that_ended():
    tick = pd.Timestamp("2026-03-18T02:20Z").to_pydatetime()
    request = every_night(dg.build_schedule_context(scheduled_execution_time=tick))
    assert (request.partition_key, request.run_key) == ("2026-03-17", "2026-03-17")
