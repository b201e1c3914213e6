"""The daily asset in a real run over stored tables: a range of days, what a command and an export say of them."""

import json
from datetime import timedelta

import dagster as dg
import numpy as np
import pandas as pd
from click.testing import CliRunner

from esus_pipeline.cli import main
from esus_pipeline.connect import archive
from esus_pipeline.defs.models import room_models
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.savings import every_morning, savings
from esus_pipeline.frames import SAVINGS, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.settings import Settings
from esus_pipeline_tests.defs.stored_room import NIGHT, ROOM, SITE, store

LAST = NIGHT - timedelta(days=1)
KEYS = [f"{LAST - timedelta(days=back):%Y-%m-%d}" for back in (1, 0)]


def store_plans(folder):
    """Two days of plans for every room: setback at night, shades up, as the building's own rule would have them."""
    times = pd.date_range(LAST - timedelta(days=1), NIGHT, freq=STEP, inclusive="left").as_unit("us")
    rows = [
        pd.DataFrame({"issued_at": times, "valid_time": times}).assign(
            room=room,
            shade_position=0.0,
            heating_setpoint=np.where((times.hour >= 5) & (times.hour < 15), 20.0, 17.0),
            cooling_setpoint=26.0,
            reason="because",
            rule="open_no_sun",
            predicted_temperature=np.nan,
            baseline_shade_position=0.0,
            setpoint_reason="because",
        )
        for room in SITE.room_ids
    ]
    folder.merge(SHADE_SETPOINT_SCHEDULE, pd.concat(rows))


def test_a_range_of_days_is_judged_and_little_evidence_is_called_little(tmp_path, instance, monkeypatch):
    settings = Settings(data_dir=tmp_path / "data")
    folder = archive(settings)
    store(folder)
    store_plans(folder)
    given = {"instance": instance, "resources": resources(settings)}
    dg.materialize([room_models], partition_key=KEYS[1], **given)
    range_tags = {"dagster/asset_partition_range_start": KEYS[0], "dagster/asset_partition_range_end": KEYS[1]}
    result = dg.materialize([savings], tags=range_tags, **given)
    assert result.success
    rows = folder.read(SAVINGS)
    assert (len(rows), set(rows["day"].dt.strftime("%Y-%m-%d"))) == (12, set(KEYS))
    assert set(rows["outcome"]) == {"no_model", "advice", "readings_missing"}
    [counted] = rows[rows["outcome"] == "advice"].to_dict("records")
    assert (f"{counted['day']:%Y-%m-%d}", counted["room"], counted["version"]) == (KEYS[1], ROOM, 1)
    assert counted["saving"] == counted["baseline_cost"] - counted["plan_cost"] > 0
    assert counted["saving_low"] <= counted["saving"] <= counted["saving_high"]
    assert counted["saving_low"] < counted["saving_high"]
    assert len(json.loads(counted["draws"])) == 40
    [event] = [*result.asset_materializations_for_node("savings")][-1:]
    said = event.metadata["evidence"].value
    assert said.startswith("Not enough evidence yet: 1 of at least 10 days count. Left out: 10 room-days with missing")
    assert (event.metadata["days_counted"].value, event.metadata["enough_evidence"].value) == (1, False)
    assert f"| {KEYS[1]} | {ROOM} |" in event.metadata["newest_day"].value

    monkeypatch.setenv("ESUS_DATA_DIR", str(settings.data_dir))
    printed = CliRunner().invoke(main, ["savings", "--since", KEYS[0]])
    assert (printed.exit_code, "| 1 of 6 |" in printed.output) == (0, True)
    assert said in printed.output
    file = tmp_path / "savings.csv"
    span = ["--start", KEYS[1], "--end", f"{NIGHT:%Y-%m-%d}"]
    assert CliRunner().invoke(main, ["export", "savings", *span, "-o", str(file)]).exit_code == 0
    assert len(pd.read_csv(file)) == 6


def test_the_first_day_of_a_demo_says_what_is_missing(tmp_path, instance):
    settings = Settings(data_dir=tmp_path / "data")
    result = dg.materialize([savings], partition_key=KEYS[1], instance=instance, resources=resources(settings))
    [event] = result.asset_materializations_for_node("savings")
    assert event.metadata["evidence"].value.startswith(
        "Not enough evidence yet: 0 of at least 10 days count. Left out: 6 room-days with missing readings."
    )
    assert "saving" not in event.metadata


def test_the_schedule_asks_for_the_day_whose_readings_are_in():
    tick = pd.Timestamp("2026-03-18T09:10Z").to_pydatetime()
    request = every_morning(dg.build_schedule_context(scheduled_execution_time=tick))
    assert (request.partition_key, request.run_key) == ("2026-03-17", "2026-03-17")
