"""What a plan's trace says of its readings, through the assets: how old they are, and which log stands in for which."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.defs.partitions import key_of, range_tags
from esus_pipeline.defs.plan import shade_setpoint_schedule
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import resources
from esus_pipeline.export import table
from esus_pipeline.frames import DECISION_TRACE, RAW_BMS_READINGS, ROOM_SOURCES, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.report import plan_words
from esus_pipeline.settings import Settings
from esus_pipeline.site import load_site

SITE = load_site("tmv23")
STUCK_ROOM, SILENT_ROOM, FINE_ROOM = SITE.room_ids[:3]
AS_OF = datetime(2026, 3, 4, 11, 15, tzinfo=UTC)
WINDOW = AS_OF - STEP
NEWEST = timedelta(minutes=50)
"""Age of the newest reading of the coarse logs."""


def logs(room: str | None, quantity: str) -> list[int]:
    """Ids of the room's logs of a quantity; of two, the coarse one comes first."""
    return [point.id for point in SITE.points if (point.room, point.quantity) == (room, quantity)]


def readings(
    point: int, value: float, first: timedelta, last: timedelta, every: timedelta, slope: float
) -> pd.DataFrame:
    """Of one point, from so long before AS_OF until so long before it; the value rises by `slope` at each."""
    times = pd.date_range(AS_OF - last, AS_OF - first, freq=-every, tz="UTC").sort_values().as_unit("us")
    rising = [value + slope * number for number in range(len(times))]
    return pd.DataFrame({"point_id": point, "timestamp": times, "value": rising, "received_at": times})


def store_readings(archive: Archive) -> None:
    """Three days; one room's fine log has said the same for 30 hours, another's has been silent for five."""
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    [sun] = logs(None, "solar_intensity_south")
    archive.merge(RAW_BMS_READINGS, readings(sun, 420.0, 2 * hour, 4 * minute, minute, 0.0))
    for room in (STUCK_ROOM, SILENT_ROOM, FINE_ROOM):
        coarse, fine = logs(room, "air_temperature")
        silence = 5 * hour if room == SILENT_ROOM else 2 * minute
        slope = 0.0 if room == STUCK_ROOM else 0.001
        archive.merge(RAW_BMS_READINGS, readings(coarse, 20.0, 40 * hour, NEWEST, 30 * minute, 0.01))
        archive.merge(RAW_BMS_READINGS, readings(fine, 21.0, 30 * hour, silence, 5 * minute, slope))
        [contact], [presence] = logs(room, "window_open"), logs(room, "occupancy")
        archive.merge(RAW_BMS_READINGS, readings(contact, 0.0, 60 * hour, 60 * hour, minute, 0.0))
        archive.merge(RAW_BMS_READINGS, readings(presence, 1.0, 7 * minute, 7 * minute, minute, 0.0))


def plan(instance: dg.DagsterInstance, folder: Path, tags: dict[str, str]) -> Archive:
    archive = Archive(folder / "archive")
    store_readings(archive)
    given = resources(Settings(data_dir=folder, contact="test@localhost"))
    assert dg.materialize(
        [clean_series, shade_setpoint_schedule], instance=instance, resources=given, tags=tags
    ).success
    return archive


@pytest.fixture
def live(instance, tmp_path) -> Archive:
    """The newest window alone."""
    return plan(instance, tmp_path / "live", {"dagster/partition": key_of(WINDOW)})


def inputs(archive: Archive, room: str) -> dict[str, dict[str, object]]:
    rows = archive.read(DECISION_TRACE, AS_OF, AS_OF + STEP).set_index("room")
    return json.loads(rows.loc[room, "inputs"])


def test_the_trace_names_the_coarse_log_its_age_and_why_the_fine_one_is_out(live):
    for room, why in ((STUCK_ROOM, "stuck"), (SILENT_ROOM, "silent")):
        coarse, fine = logs(room, "air_temperature")
        air = inputs(live, room)["air_temperature_degC"]
        assert air.pop("value") == pytest.approx(20.78, abs=0.02)
        assert air == {"age_minutes": 50.0, "point": coarse, "stands_in_for": fine, "because": why}
    air = inputs(live, FINE_ROOM)["air_temperature_degC"]
    assert (set(air), air["age_minutes"]) == ({"value", "age_minutes"}, 2.0)


def test_the_trace_tells_the_age_of_presence_and_window_contact_and_none_of_what_is_not_known(live):
    told = inputs(live, STUCK_ROOM)
    assert told["presence_share"] == {"value": 1.0, "age_minutes": 7.0}
    assert told["window_open"] == {"value": 0.0, "age_minutes": 60.0 * 60}
    sunny = {room.id: [window.facade for window in room.windows] == ["south"] for room in SITE.rooms}
    for room, south in sunny.items():
        known = {"value": 420.0, "age_minutes": 4.0} if south else {"value": None, "age_minutes": None}
        assert inputs(live, room)["facade_irradiance_measured_W_m2"] == known
    assert set(sunny.values()) == {True, False}
    silent = inputs(live, SITE.room_ids[3])
    for name in ("air_temperature_degC", "presence_share", "window_open"):
        assert silent[name] == {"value": None, "age_minutes": None}


def test_a_range_tells_the_same_as_the_window_alone(live, instance, tmp_path):
    whole = plan(instance, tmp_path / "range", range_tags(key_of(WINDOW - 3 * STEP), key_of(WINDOW)))
    for room in SITE.room_ids:
        at_once, alone = inputs(whole, room), inputs(live, room)
        assert at_once.pop("optimum")["age_minutes"] == 15.0  # of the full hour, which the window alone does not know
        assert alone.pop("optimum")["age_minutes"] == 0.0
        assert at_once == alone
    sources = [archive.read(ROOM_SOURCES, WINDOW, AS_OF) for archive in (live, whole)]
    pd.testing.assert_frame_equal(*sources, check_exact=True)
    assert set(sources[0]["quantity"]) == {"air_temperature", "occupancy", "window_open", "solar_intensity_south"}


def test_words_and_page_tell_who_stands_in(live, tmp_path):
    coarse, fine = logs(STUCK_ROOM, "air_temperature")
    told = f"point {coarse} in place of {fine}: stuck"
    rows = [table(live, SITE, name.name, AS_OF, AS_OF) for name in (SHADE_SETPOINT_SCHEDULE, DECISION_TRACE)]
    words = " ".join(plan_words(SITE, rows[0], AS_OF, rows[1]).split())
    assert f"room temperature 20.8 degC (50 min old, {told})" in words
    assert told in (tmp_path / "live" / "plan" / "index.html").read_text(encoding="utf-8")


def test_a_plan_of_windows_whose_sources_were_never_stored_is_made_without_ages(live, instance, tmp_path):
    for file in (tmp_path / "live" / "archive" / "room_sources").glob("*.parquet"):
        file.unlink()
    given = resources(Settings(data_dir=tmp_path / "live", contact="test@localhost"))
    assert dg.materialize(
        [shade_setpoint_schedule], instance=instance, resources=given, partition_key=key_of(WINDOW)
    ).success
    assert inputs(live, STUCK_ROOM)["air_temperature_degC"]["age_minutes"] is None
