import subprocess
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import httpx
import numpy as np
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.cli import _day_spans
from esus_pipeline.control import trace_frame
from esus_pipeline.export import TABLES
from esus_pipeline.frames import DECISION_TRACE, OVERRIDE_RELEASE, SHADE_SETPOINT_SCHEDULE, STEP
from esus_pipeline.site import load_site
from esus_pipeline_tests.real.processes import PYTHON, environment, free_port

START, END = "2026-03-10T06:00", "2026-03-10T09:00"
NOON = datetime(2026, 6, 22, 12, tzinfo=UTC)
READINGS = ["point_id", "timestamp", "value", "received_at"]


@pytest.fixture
def fault(building):
    """Switch a fault of the building on until the test is over."""
    switched = []

    def switch_on(name):
        switched.append(name)
        httpx.post(f"{building.url}/faults/{name}").raise_for_status()

    yield switch_on
    for name in switched:
        httpx.delete(f"{building.url}/faults/{name}").raise_for_status()


COMMANDS = [
    "alerts",
    "commission",
    "counts",
    "demo",
    "doctor",
    "evaluate",
    "export",
    "fetch",
    "influx",
    "models",
    "pareto",
    "plan",
    "quality",
    "recover",
    "release",
    "savings",
    "simulate",
]


def command(*arguments, **settings):
    """`esus` as a user's shell runs it."""
    return subprocess.run(
        [*PYTHON, "-m", "esus_pipeline.cli", *arguments],
        env=environment(**settings),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_lists_every_command_with_what_it_does():
    done = command("--help")
    assert done.returncode == 0
    listed = done.stdout[done.stdout.index("Commands:") :].splitlines()[1:]
    commands = {
        line.split()[0]: line.split(maxsplit=1)[1] for line in listed if line.startswith("  ") and line[2] != " "
    }
    assert list(commands) == COMMANDS
    assert all(len(what) > 10 for what in commands.values())


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_each_command_explains_every_option(esus, name):
    told = esus(name, "--help")
    assert told.exit_code == 0
    options = [line.split() for line in told.output.split("Options:")[1].splitlines() if line.startswith("  -")]
    assert options
    assert all(len(option) > 2 or option[0] == "--help" for option in options)


def test_help_is_there_at_once_without_the_heavy_libraries():
    heavy = ["pandas", "dagster", "starlette"]
    code = f"import sys, esus_pipeline.cli; sys.exit(any(name in sys.modules for name in {heavy}))"
    assert subprocess.run([*PYTHON, "-c", code], env=environment(), timeout=60, check=False).returncode == 0


def test_release_is_written_down_for_the_next_plan_and_knows_its_rooms(esus, tmp_path):
    done = esus("release", "1.213", "1.229")
    assert done.exit_code == 0, done.output
    rows = Archive(tmp_path / "data" / "archive").read(OVERRIDE_RELEASE)
    assert rows["room"].tolist() == ["1.213", "1.229"]
    assert (pd.Timestamp.now("UTC") - rows["released_at"]).between(pd.Timedelta(0), pd.Timedelta(minutes=1)).all()
    wrong = esus("release", "9.999")
    assert wrong.exit_code == 1
    assert "no room '9.999'; there are 1.213" in wrong.output


def test_fetch_writes_the_readings_of_the_span(esus, building, tmp_path):
    done = esus("fetch", "--start", START, "--end", END, "-o", str(tmp_path / "a.parquet"), **building.settings)
    rows = pd.read_parquet(tmp_path / "a.parquet")
    assert done.exit_code == 0, done.output
    assert done.output.endswith(f"{len(rows)} readings, 0 rejected, 0 points failed\n")
    assert list(rows.columns) == READINGS
    assert str(rows["timestamp"].dtype) == str(rows["received_at"].dtype) == "datetime64[us, UTC]"
    assert rows["timestamp"].between(pd.Timestamp(START, tz="UTC"), pd.Timestamp(END, tz="UTC"), inclusive="left").all()
    assert set(rows["point_id"]) <= set(load_site("tmv23").point_ids)
    assert len(set(rows["point_id"])) > 100
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet"]


def test_fetch_of_one_point_to_csv_with_times_of_a_zone(esus, building, tmp_path):
    file = tmp_path / "a.csv"
    span = ["--start", "2026-03-10T07:00+01:00", "--end", "2026-03-10T10:00+01:00"]
    done = esus("fetch", *span, "--point", "6023", "-o", str(file), **building.settings)
    assert done.exit_code == 0, done.output
    rows = pd.read_csv(file, parse_dates=["timestamp"])
    assert set(rows["point_id"]) == {6023}
    assert rows["timestamp"].min() >= pd.Timestamp(START, tz="UTC")
    assert rows["timestamp"].max() < pd.Timestamp(END, tz="UTC")
    assert file.read_text(encoding="utf-8").splitlines()[1].split(",")[1].endswith("Z")


def test_fetch_puts_what_is_refused_beside_the_file_and_counts_it(esus, building, fault, tmp_path):
    file, refused = tmp_path / "a.parquet", tmp_path / "a.parquet.rejected.csv"
    span = ["fetch", "--start", START, "--end", END, "-o", str(file)]
    whole = esus(*span, **building.settings)
    good = len(pd.read_parquet(file))
    assert f"{good} readings, 0 rejected" in whole.output
    fault("garbage_values")
    done = esus(*span, **building.settings)
    assert done.exit_code == 0, done.output
    rows, aside = pd.read_parquet(file), pd.read_csv(refused)
    assert f"{len(rows)} readings, {len(aside)} rejected, 0 points failed" in done.output
    assert len(rows) + len(aside) == good
    assert len(aside) > good / 10
    assert list(aside.columns) == ["received_at", "source", "reason", "point_id", "record"]
    assert {"missing_value", "not_finite", "bad_value"} <= set(aside["reason"])
    assert aside["record"].str.len().gt(10).all()
    httpx.delete(f"{building.url}/faults/garbage_values").raise_for_status()
    assert esus(*span, **building.settings).exit_code == 0
    assert not refused.exists(), "what an earlier fetch refused says nothing about this one"


def test_fetch_says_which_point_failed_and_keeps_the_others(esus, building, fault, tmp_path):
    first, second = load_site("tmv23").point_ids[0], 6023
    fault("one_point_fails")
    done = esus(
        "fetch", "--start", START, "--end", END, "--point", str(first), "--point", str(second),
        "-o", str(tmp_path / "a.csv"), **building.settings,
    )  # fmt: skip
    assert done.exit_code == 1
    assert f"point {first} could not be read: " in done.output
    assert set(pd.read_csv(tmp_path / "a.csv")["point_id"]) == {second}


@pytest.mark.parametrize("name", ["fetch", "doctor"])
def test_a_wrong_password_is_told_in_one_line_and_shown_nowhere(esus, building, tmp_path, name):
    wrong = "wr0ng-and-secret"
    options = ["--start", START, "--end", END, "-o", str(tmp_path / "a.csv")] if name == "fetch" else []
    done = esus(name, *options, **{**building.settings, "ESUS_BMS_PASSWORD": wrong})
    assert done.exit_code == 1
    told = [line for line in done.output.splitlines() if "refused user name or password" in line]
    assert len(told) == 1
    assert told[0].endswith("(401): set ESUS_BMS_USERNAME and ESUS_BMS_PASSWORD")
    assert wrong not in done.output
    assert building.password not in done.output
    assert not (tmp_path / "a.csv").exists()


def test_a_wrong_password_leaves_no_trace_in_a_real_shell(building, tmp_path):
    wrong = "wr0ng-and-secret"
    settings = {**building.settings, "ESUS_BMS_PASSWORD": wrong, "ESUS_DATA_DIR": str(tmp_path)}
    done = command("fetch", "--start", START, "--end", END, "-o", str(tmp_path / "a.csv"), **settings)
    assert done.returncode == 1
    assert done.stderr.startswith("Error: 127.0.0.1:")
    assert done.stderr.count("\n") == 1
    assert wrong not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


DAY = ["--start", "2026-06-21", "--end", "2026-06-22"]


@pytest.mark.parametrize("name", ["fetch", "export"])
@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--start", "2026-06-21", "--end", "2026-06-21", "-o", "a.csv"], "--end must be after --start"),
        (["--start", "2026-06-22", "--end", "2026-06-21", "-o", "a.csv"], "--end must be after --start"),
        (["--start", "2026-06-21T10+02:00", "--end", "2026-06-21T08", "-o", "a.csv"], "--end must be after --start"),
        (["--start", "21.06.2026", "--end", "2026-06-22", "-o", "a.csv"], "'21.06.2026' is not ISO 8601, such as"),
        (["--start", "2026-06-21", "-o", "a.csv"], "Missing option '--end'"),
        ([*DAY, "-o", "a.xlsx"], "a.xlsx must end in .parquet or .csv"),
        ([*DAY, "-o", "none/a.csv"], "there is no folder none; make it first"),
    ],
)
def test_wrong_options_are_refused_before_any_work(esus, tmp_path, monkeypatch, name, options, told):
    monkeypatch.chdir(tmp_path)
    done = esus(name, *(["clean_series"] if name == "export" else []), *options, ESUS_BMS_URL="http://127.0.0.1:9")
    assert done.exit_code in (1, 2)
    assert told in " ".join(done.output.split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["raw", "Clean_series", "../archive"])
def test_an_unknown_table_is_refused_with_the_list(esus, tmp_path, name):
    done = esus("export", name, "--start", START, "--end", END, "-o", str(tmp_path / "a.csv"))
    assert done.exit_code == 1
    assert done.output == f"Error: {name!r} is not one of {', '.join(TABLES)}\n"
    assert len(TABLES) == 17


def test_the_help_of_export_names_every_table(esus):
    told = esus("export", "--help").output
    assert [name for name in TABLES if name not in told] == []


def store_plan(data, issued_at=NOON, position=1.0):
    site = load_site("tmv23")
    steps = pd.date_range(issued_at, periods=144, freq=STEP, unit="us")
    plan = pd.DataFrame([(room, step) for room in site.room_ids for step in steps], columns=["room", "valid_time"])
    plan = plan.assign(
        issued_at=pd.Timestamp(issued_at), shade_position=position, heating_setpoint=20.0, cooling_setpoint=26.0,
        reason="lowered for a test", rule="close_before_sun", predicted_temperature=np.nan,
        baseline_shade_position=np.nan, setpoint_reason="set back",
    )  # fmt: skip
    Archive(data / "archive").merge(SHADE_SETPOINT_SCHEDULE, plan)


def test_plan_tells_every_room_in_local_time_and_why(esus, tmp_path):
    store_plan(tmp_path / "data", NOON - timedelta(hours=1), position=0.0)
    store_plan(tmp_path / "data")
    done = esus("plan", "--at", "2026-06-22T14:05+02:00")
    assert done.exit_code == 0, done.output
    assert "Times in Europe/Copenhagen." in done.output
    assert done.output.count("14:15-24:00  closed  lowered for a test") == 6
    assert all(f"\n{room} (" in done.output for room in load_site("tmv23").room_ids)


def test_plan_tells_how_the_plan_in_force_was_decided_and_no_other(esus, tmp_path):
    store_plan(tmp_path / "data")
    rows = [
        {
            "issued_at": NOON + shift, "room": "1.213", "rule": rule, "position": 1.0, "wanted_position": 1.0,
            "losing": "[]", "inputs": '{"wind_speed_m_s": {"value": 3.0, "age_minutes": 5.0}}', "held_closed": True,
            "held_minutes": 30.0, "moves_today": 1, "holds_until": None, "expires_at": NOON + shift + STEP,
            "source": "optimum",
        }
        for shift, rule in ((-STEP, "glare"), (timedelta(0), "shade_for_cost"))
    ]  # fmt: skip
    Archive(tmp_path / "data" / "archive").merge(DECISION_TRACE, trace_frame(rows))
    done = esus("plan", "--at", "2026-06-22T14:05+02:00")
    assert done.output.count("1.213: how the shade was decided when the plan was made") == 1
    assert "  won shade for cost: closed\n" in done.output
    assert "glare" not in done.output
    assert "wind, measured 3.0 m/s (5 min old)" in done.output


def test_plan_without_data_says_where_it_looked(esus, tmp_path):
    done = esus("plan")
    assert done.exit_code == 1
    assert done.output.startswith("Error: No plan of the two days before ")
    assert f"in {tmp_path / 'data'}; is ESUS_DATA_DIR right?" in done.output
    store_plan(tmp_path / "data")
    assert esus("plan", "--at", "2026-06-22T11:59").exit_code == 1
    assert esus("plan", "--at", "2026-06-24T12:15").exit_code == 1


@pytest.mark.parametrize("name", ["plan", "export"])
def test_a_damaged_day_is_told_with_what_to_do(esus, tmp_path, name):
    store_plan(tmp_path / "data")
    (file,) = (tmp_path / "data" / "archive" / "shade_setpoint_schedule").glob("*.parquet")
    file.write_bytes(file.read_bytes()[:-50])
    at = "2026-06-22T13:00"
    span = ["--start", at, "--end", "2026-06-23", "-o", str(tmp_path / "a.csv")]
    done = esus("plan", "--at", at) if name == "plan" else esus("export", SHADE_SETPOINT_SCHEDULE.name, *span)
    assert done.exit_code == 1
    assert done.output.startswith("Error: shade_setpoint_schedule of 2026-06-22 is corrupt")
    assert "Materialise the windows 2026-06-22-00:00...2026-06-22-23:45" in done.output


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"ESUS_BMS_CONNECTIONS": "many"}, "ESUS_BMS_CONNECTIONS must be a whole number of at least 1, got 'many'"),
        ({"ESUS_GAP_HOURS": "\u00b2"}, "ESUS_GAP_HOURS must be a whole number of at least 1"),
        ({"ESUS_AUTOMATION": "onn"}, "ESUS_AUTOMATION must be on or off, got 'onn'"),
        ({"ESUS_SITE": "tmv32"}, "'tmv32' is neither a site of this package (ou44, tmv23) nor a folder"),
    ],
)
def test_a_wrong_setting_is_told_by_name(esus, settings, told):
    done = esus("plan", **settings)
    assert done.exit_code == 1
    assert done.output.startswith("Error: ")
    assert told in done.output


def test_recover_needs_to_know_the_instance(esus):
    done = esus("recover", DAGSTER_HOME="")
    assert done.exit_code == 1
    assert done.output == "Error: DAGSTER_HOME is not set; set it to the folder that holds dagster.yaml\n"


def test_simulate_wants_a_password_for_its_user(esus):
    done = esus("simulate", "--username", "demo", "--port", str(free_port()))
    assert done.exit_code == 2
    assert "--username needs a password in the environment variable ESUS_BMS_PASSWORD" in done.output


HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("length", "lengths"),
    [
        (HOUR, [HOUR]),
        (24 * HOUR, [24 * HOUR]),
        (24 * HOUR + timedelta(minutes=5), [24 * HOUR + timedelta(minutes=5)]),
        (24 * HOUR + STEP, [24 * HOUR, STEP]),
        (48 * HOUR + timedelta(minutes=14), [24 * HOUR, 24 * HOUR + timedelta(minutes=14)]),
        (50 * HOUR, [24 * HOUR, 24 * HOUR, 2 * HOUR]),
    ],
)
def test_a_span_is_cut_into_days_of_which_none_is_too_short_to_ask_for(length, lengths):
    spans = _day_spans(NOON, NOON + length)
    assert [end - start for start, end in spans] == lengths
    assert spans[0][0] == NOON
    assert spans[-1][1] == NOON + length
    assert all(before[1] == after[0] for before, after in pairwise(spans))
