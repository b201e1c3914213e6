"""The assets in a real run: what they report, what they announce, and what they keep to themselves."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from esus_pipeline.bms import Poll
from esus_pipeline.defs import automation
from esus_pipeline.defs.automation import gap_sensor, late_readings_sensor
from esus_pipeline.defs.jobs import ASSETS
from esus_pipeline.defs.partitions import floor, key_of, range_tags
from esus_pipeline.defs.readings import NIGHTLY, REPAIR, clean_series, raw_bms_readings
from esus_pipeline.defs.resources import resources
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS, STEP
from esus_pipeline.settings import Settings
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline_tests.simulator.conftest import serving

CANARY = "canary-hunter2-canary"
WINDOW = floor(datetime.now(UTC)).replace(hour=10, minute=0) - timedelta(days=2)
REPORTED = {
    "raw_bms_readings": {
        "rows", "rows_new", "rows_updated", "rejected", "requests", "late_readings", "points_heard",
        "points_expected", "points_failed", "newest_reading_age_seconds", "duration_seconds",
    },
    "clean_series": {"rows", "rows_good", "room_table_filled_cells", "room_table_cells", "duration_seconds"},
    "point_states": {"rows_current", "gaps_new", "duration_seconds"},
    "weather_forecast": {
        "rows", "source", "kind", "issued_at", "age_seconds", "current", "rejected", "requests", "duration_seconds",
    },
    "solar_gain": {
        "rows", "windows_corrected_by_sensors", "facade_sensors_in_the_last_window", "duration_seconds",
    },
    "electricity_price": {"rows", "price_area", "known_until", "rejected", "requests", "duration_seconds"},
    "shade_setpoint_schedule": {
        "rows", "rooms", "rules", "why_now", "optima", "solver_seconds", "plan", "plan_page", "duration_seconds",
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def simulator() -> Iterator[str]:
    config = SimulatorConfig(request_s=0, point_s=0, username="demo", password=CANARY)
    with serving(config) as url:
        yield url


def given(folder: Path, url: str) -> dict[str, dg.ConfigurableResource]:
    return resources(
        Settings(
            data_dir=folder / "data",
            forecast_url=url,
            forecast_fallback_url=url,
            price_url=url,
            contact="test@localhost",
        )
    )


def set_credentials(monkeypatch: pytest.MonkeyPatch, url: str, password: str) -> None:
    monkeypatch.setenv("ESUS_BMS_URL", url)
    monkeypatch.setenv("ESUS_BMS_USERNAME", "demo")
    monkeypatch.setenv("ESUS_BMS_PASSWORD", password)


def files_with(folder: Path, secret: str) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


def test_a_range_goes_through_the_chain_and_every_asset_reports_on_it(instance, simulator, tmp_path, monkeypatch):
    set_credentials(monkeypatch, simulator, CANARY)
    last = WINDOW + 3 * STEP
    result = dg.materialize(
        ASSETS,
        instance=instance,
        resources=given(tmp_path, simulator),
        tags=range_tags(key_of(WINDOW), key_of(last)),
    )
    assert result.success
    for name, expected in REPORTED.items():
        events = result.asset_materializations_for_node(name)
        assert {event.partition for event in events} == {key_of(WINDOW + step * STEP) for step in range(4)}
        [newest] = [event for event in events if event.partition == key_of(last)]
        assert expected <= set(newest.metadata), name
    raw = result.asset_materializations_for_node("raw_bms_readings")[0].metadata
    assert raw["rows"].value == raw["rows_new"].value > 100
    assert 0 < raw["points_heard"].value <= raw["points_expected"].value == 172
    assert raw["points_failed"].value == 0
    plan = newest.metadata
    assert plan["rows"].value == 4 * 6 * 144
    assert plan["plan"].value.startswith("![plan](data:image/svg+xml;base64,")
    page = (tmp_path / "data" / "plan" / "index.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 6
    assert "no forecast" not in page
    assert files_with(tmp_path, CANARY) == []
    assert not any(CANARY in str(event) for event in result.all_events)


def test_a_refused_password_fails_the_run_without_telling_it(instance, simulator, tmp_path, monkeypatch):
    wrong = "canary-wrong-canary"
    set_credentials(monkeypatch, simulator, wrong)
    result = dg.materialize(
        [raw_bms_readings],
        instance=instance,
        resources=given(tmp_path, simulator),
        partition_key=key_of(WINDOW),
        raise_on_error=False,
    )
    assert not result.success
    failure = str(result.failure_data_for_node("raw_bms_readings").error)
    assert "ESUS_BMS_PASSWORD" in failure
    assert wrong not in failure
    assert files_with(tmp_path, wrong) == []
    assert not any(wrong in str(event) for event in result.all_events)


TOLD: list[tuple[datetime, float]] = []
"""What the building below has logged, of one point."""


class ToldBms(dg.ConfigurableResource):
    """A building that says what the test tells it."""

    def client(self, site):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None

    def read(self, point_ids, start, end) -> Poll:
        rows = [(stamp, value) for stamp, value in TOLD if start <= stamp < end]
        readings = pd.DataFrame(
            {
                "point_id": pd.Series([point_ids[0]] * len(rows), dtype="int64"),
                "timestamp": pd.to_datetime([stamp for stamp, _ in rows], utc=True).as_unit("us"),
                "value": [value for _, value in rows],
                "received_at": pd.Timestamp.now("UTC").as_unit("us"),
            }
        )
        return Poll(
            readings=RAW_BMS_READINGS.conform(readings),
            rejected=QUARANTINE.empty(),
            failed={},
            unanswered=(),
            requests=1,
            retries=0,
            seconds=0.0,
            bytes_read=0,
            duplicates=0,
            at_end=0,
            clock_skew_s=None,
        )


def poll(instance: dg.DagsterInstance, folder: Path, window: datetime) -> list[dg.AssetMaterialization]:
    result = dg.materialize(
        [raw_bms_readings],
        instance=instance,
        resources={**given(folder, "http://127.0.0.1:9"), "bms": ToldBms()},
        partition_key=key_of(window),
    )
    return list(result.asset_materializations_for_node("raw_bms_readings"))


def test_readings_that_come_late_are_announced_for_their_windows_and_asked_to_be_cleaned(instance, tmp_path):
    live = floor(datetime.now(UTC)) - STEP
    TOLD[:] = [(live - timedelta(hours=3), 20.0), (live + timedelta(minutes=1), 21.0)]
    before = late_readings_sensor.evaluate_tick(dg.build_sensor_context(instance=instance)).cursor
    announced = [event.partition for event in poll(instance, tmp_path, live)]
    assert announced == [key_of(live - timedelta(hours=3)), key_of(live)]
    TOLD.extend([(live - timedelta(hours=8, minutes=1), 19.0), (live - timedelta(hours=2), 22.0)])
    *late, own = poll(instance, tmp_path, live)
    assert [event.partition for event in late] == [
        key_of(live - timedelta(hours=8, minutes=1)),
        key_of(live - timedelta(hours=2)),
    ]
    assert all(event.metadata[REPAIR].value is True and event.metadata["rows"].value == 1 for event in late)
    assert (own.partition, own.metadata["late_readings"].value, own.metadata["rows_new"].value) == (key_of(live), 2, 2)
    tick = late_readings_sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=before))
    [request] = tick.run_requests
    assert request.tags["dagster/asset_partition_range_start"] == key_of(live - timedelta(hours=8, minutes=1))
    assert request.tags["dagster/asset_partition_range_end"] == key_of(live - STEP)  # each depends on those before it


def test_readings_stored_by_a_poll_that_was_killed_before_it_said_so_are_announced_by_the_next(instance, tmp_path):
    live = floor(datetime.now(UTC)) - STEP
    old = live - timedelta(hours=2)
    TOLD[:] = [(old + timedelta(minutes=1), 20.0)]
    given_ = {**given(tmp_path, "http://127.0.0.1:9"), "bms": ToldBms()}
    assert dg.materialize(
        [raw_bms_readings, clean_series], instance=instance, resources=given_, partition_key=key_of(old)
    ).success
    point = given_["site"].load().point_ids[0]
    stamp = pd.Timestamp(old + timedelta(minutes=2)).as_unit("us")
    row = pd.DataFrame({"point_id": [point], "timestamp": [stamp], "value": [20.5], "received_at": [stamp]})
    given_["data"].archive().merge(RAW_BMS_READINGS, row)
    TOLD.append((old + timedelta(minutes=2), 20.5))
    late, _ = poll(instance, tmp_path, live)
    assert (late.partition, late.metadata[REPAIR].value) == (key_of(old), True)
    assert dg.materialize([clean_series], instance=instance, resources=given_, partition_key=key_of(old)).success
    assert [event.partition for event in poll(instance, tmp_path, live)] == [key_of(live)]


def test_the_nightly_reread_announces_what_is_new_and_nothing_the_second_time(instance, tmp_path):
    TOLD[:] = [(WINDOW, 20.0)]
    poll(instance, tmp_path, WINDOW)
    TOLD.append((WINDOW + 2 * STEP, 21.0))

    def reread() -> list[str | None]:
        result = dg.materialize(
            [raw_bms_readings],
            instance=instance,
            resources={**given(tmp_path, "http://127.0.0.1:9"), "bms": ToldBms()},
            tags={**range_tags(key_of(WINDOW), key_of(WINDOW + 4 * STEP)), **NIGHTLY},
        )
        events = result.asset_materializations_for_node("raw_bms_readings")
        return [event.partition for event in events if REPAIR in event.metadata]

    assert reread() == [key_of(WINDOW + 2 * STEP)]
    assert reread() == []


def test_an_old_window_asks_for_itself_alone_and_a_second_poll_changes_nothing(instance, tmp_path):
    TOLD[:] = [(WINDOW - timedelta(minutes=1), 20.0), (WINDOW, 21.0), (WINDOW + STEP, 22.0)]
    [event] = poll(instance, tmp_path, WINDOW)
    assert (event.partition, event.metadata["rows"].value) == (key_of(WINDOW), 1)
    [again] = poll(instance, tmp_path, WINDOW)
    assert (again.metadata["rows_new"].value, again.metadata["rows_updated"].value) == (0, 0)


def test_a_window_that_was_answered_without_readings_is_done_and_asked_for_no_more(instance, tmp_path, monkeypatch):
    live = floor(datetime.now(UTC)) - STEP
    monkeypatch.setattr(automation, "now", lambda: live + 2 * STEP)  # its run should have come a quarter ago
    monkeypatch.setattr(automation, "GAP_HORIZON", 2 * STEP)

    def gaps() -> dg.SensorResult:
        return gap_sensor.evaluate_tick(dg.build_sensor_context(instance=instance))

    before = late_readings_sensor.evaluate_tick(dg.build_sensor_context(instance=instance)).cursor
    [wanted] = gaps().run_requests
    assert wanted.tags["dagster/asset_partition_range_start"] == key_of(live)
    TOLD.clear()
    silent = {**given(tmp_path, "http://127.0.0.1:9"), "bms": ToldBms()}
    result = dg.materialize(ASSETS, instance=instance, resources=silent, tags=dict(wanted.tags))
    assert result.success
    [event] = result.asset_materializations_for_node("raw_bms_readings")
    assert (event.partition, event.metadata["rows"].value) == (key_of(live), 0)
    assert gaps().run_requests == []
    assert [event.partition for event in poll(instance, tmp_path, live)] == [key_of(live)]
    tick = late_readings_sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=before))
    assert (tick.run_requests, tick.skip_message) == ([], "No readings came late.")


def test_a_value_that_was_told_otherwise_is_updated_and_the_old_one_kept_for_the_audit(instance, tmp_path):
    TOLD[:] = [(WINDOW, 21.0)]
    poll(instance, tmp_path, WINDOW)
    TOLD[:] = [(WINDOW, 23.5)]
    [event] = poll(instance, tmp_path, WINDOW)
    assert (event.metadata["rows_new"].value, event.metadata["rows_updated"].value) == (0, 1)
    archive = given(tmp_path, "")["data"].archive()
    assert list(archive.read(RAW_BMS_READINGS)["value"]) == [23.5]
    [kept] = archive.read(QUARANTINE).to_dict("records")
    assert kept["reason"] == "superseded"
    assert "21.0" in kept["record"]


def test_an_older_window_leaves_the_page_of_the_newest_plan_alone(instance, simulator, tmp_path, monkeypatch):
    set_credentials(monkeypatch, simulator, CANARY)
    page = tmp_path / "data" / "plan" / "index.html"

    def plan(window: datetime) -> str:
        assert dg.materialize(
            ASSETS, instance=instance, resources=given(tmp_path, simulator), partition_key=key_of(window)
        ).success
        return page.read_text(encoding="utf-8")

    newest = plan(WINDOW)
    assert plan(WINDOW - STEP) == newest
    assert plan(WINDOW - timedelta(days=1)) == newest
    assert plan(WINDOW + STEP) != newest
