"""kill -9 of any process of the demo at random moments: nothing is lost, and nobody has to clean up."""

import random
import signal
import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pandas as pd
import psutil
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsClient, BmsConfig
from esus_pipeline.demo.dagster_api import DagsterApi, DagsterApiError
from esus_pipeline.frames import (
    CLEAN_SERIES,
    QUARANTINE,
    RAW_BMS_READINGS,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    SOLAR_GAIN_PANE,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.site import load_site
from esus_pipeline_tests.real.processes import Demo, wait_until

pytestmark = pytest.mark.real

SEED = 20260621
KILLS_WHILE_STARTING, RUNS_WHILE_LOADING, RUNS_LATER = 6, 2, 2
ROUNDS, KILLS_PER_ROUND = 3, 3
"""A round ends with the supervisor, whom nobody starts again but the user."""

LONGEST_PAUSE = 6.0
LATEST_DELIVERY = timedelta(hours=9)
ASSETS = [
    "raw_bms_readings", "clean_series", "point_states", "weather_forecast", "solar_gain", "shade_setpoint_schedule",
]  # fmt: skip
FRAMES = [
    RAW_BMS_READINGS,
    QUARANTINE,
    CLEAN_SERIES,
    WEATHER_FORECAST,
    SOLAR_GAIN,
    SOLAR_GAIN_PANE,
    SHADE_SETPOINT_SCHEDULE,
]
SITE = load_site("tmv23")
UNFINISHED = """
{ runsOrError(filter: {statuses: [STARTED, STARTING, NOT_STARTED, CANCELING, QUEUED, MANAGED]}) {
  ... on Runs { results { runId status } } } }"""


ROLES = {
    "multiprocessing.forkserver": "source of runs",  # its line names modules of others, too
    "esus_pipeline.simulator": "building",
    "http.server": "plan page",
    "esus_pipeline.defs.code_server": "code server",
    "dagster_webserver": "webserver",
    "dagster._daemon": "daemon",
    "recover": "recover",
    "resource_tracker": "helper of runs",
    "watch_orphans": "helper of runs",
    "tail -F": "helper of runs",
}


def role(process: psutil.Process) -> str:
    """What the process does, from its command line; a run has that of the process from which it was forked."""
    try:
        words, parent = " ".join(process.cmdline()), process.parent()
        if "multiprocessing.forkserver" in words and parent and parent.cmdline() == process.cmdline():
            return "run"
    except psutil.Error:
        return "gone"
    return next((name for mark, name in ROLES.items() if mark in words), words)


class Killer:
    """Kills one process after the other, timed and chosen by one seed among the kinds that were spared most."""

    def __init__(self, demo: Demo) -> None:
        self._demo, self._chance = demo, random.Random(SEED)  # noqa: S311
        self._began = time.monotonic()
        self.killed: Counter[str] = Counter()
        self.restarts = 0

    def kill_services(self, times: int) -> None:
        """Kill `times` processes that the supervisor has to replace."""
        for _ in range(times):
            time.sleep(self._chance.uniform(0, LONGEST_PAUSE))
            self._kill_one_service()

    def kill_runs(self, times: int) -> None:
        """Make sure of work, and kill the process that does it, somewhere between its start and its end."""
        enough = self.killed["run"] + times
        while self.killed["run"] < enough:
            if not self._runs():
                backfill_yesterday(self._demo)
            wait_until("a run under way", self._runs, 150)
            time.sleep(self._chance.uniform(0, LONGEST_PAUSE))
            for run in self._runs():
                self._kill(run)

    def kill_supervisor(self) -> None:
        self._demo.supervisor().kill()
        self._demo.reap()
        self._note("supervisor")
        time.sleep(self._chance.uniform(0, 2))
        self._demo.start()
        self.restarts += 1

    def _runs(self) -> list[psutil.Process]:
        return [process for process in self._demo.services() if role(process) == "run"]

    def _kill_one_service(self) -> None:
        if not self._demo.alive:  # it gives a service up that dies again and again while it starts
            assert "did not start" in self._demo.output, self._demo.output
            self._demo.start()
            self.restarts += 1
        processes = wait_until("a process to kill", self._demo.services, 30)
        roles = sorted({role(process) for process in processes})
        spared = min(self.killed[name] for name in roles)
        wanted = self._chance.choice([name for name in roles if self.killed[name] == spared])
        self._kill(self._chance.choice([process for process in processes if role(process) == wanted]))

    def _kill(self, process: psutil.Process) -> None:
        self._note(role(process))
        with suppress(psutil.NoSuchProcess):
            process.kill()

    def _note(self, name: str) -> None:
        self.killed[name] += 1
        print(f"{time.monotonic() - self._began:6.1f} s: killed {name}")  # shown when the test fails


@pytest.fixture(scope="module")
def began() -> datetime:
    return datetime.now(UTC)


@pytest.fixture(scope="module")
def survivor(tmp_path_factory: pytest.TempPathFactory, began: datetime) -> Iterator[Demo]:
    """A demo whose processes were killed in its first minutes, and later while it was at work."""
    demo = Demo(tmp_path_factory.mktemp("killed"))
    killer = Killer(demo)
    try:
        demo.start()
        killer.kill_services(KILLS_WHILE_STARTING)
        wait_until("Dagster's address", lambda: demo.alive and "Dagster is up at" in demo.output, 200)
        killer.kill_runs(RUNS_WHILE_LOADING)
        demo.wait_green(600)  # the same supervisor has brought up everything
        killer.kill_runs(RUNS_LATER)
        for _ in range(ROUNDS):
            killer.kill_services(KILLS_PER_ROUND)
            killer.kill_supervisor()
        demo.wait_green(600)
        print(f"killed {killer.killed.total()}: {dict(killer.killed)}, started again: {killer.restarts}")
        assert killer.killed.total() >= 20
        assert set(killer.killed) >= {*ROLES.values(), "run", "supervisor"} - {
            "resource tracker",
            "orphan watch",
            "recover",
        }
        yield demo
    finally:
        demo.end()


def backfill_yesterday(demo: Demo) -> None:
    """Give the processes something to do while they are killed."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
    keys = [(midnight + step * STEP).strftime("%Y-%m-%d-%H:%M") for step in range(96)]

    def launched() -> bool:
        try:
            return bool(DagsterApi(demo.ui).launch_backfill(ASSETS, keys, "yesterday"))
        except DagsterApiError:
            return False

    wait_until("an answer to the backfill", launched, 60, pause=1.0)


def building(demo: Demo) -> BmsClient:
    """The building as anyone may ask it who knows its password."""
    [process] = [process for process in demo.services() if role(process) == "building"]
    env = process.environ()
    return BmsClient(
        BmsConfig(env["ESUS_BMS_URL"], env["ESUS_BMS_USERNAME"], env["ESUS_BMS_PASSWORD"], SITE.place.timezone)
    )


def test_the_stored_readings_are_those_of_an_undisturbed_poll(survivor, began):
    end = (began - LATEST_DELIVERY).replace(minute=0, second=0, microsecond=0)
    start = end - timedelta(hours=14)
    with building(survivor) as client:
        told = client.read(SITE.point_ids, start, end)
    assert told.failed == {}
    stored = Archive(survivor.home / "data" / "archive").read(RAW_BMS_READINGS, start, end)
    assert len(told.readings) > 5_000
    key = ["point_id", "timestamp"]
    columns = [*key, "value"]
    pd.testing.assert_frame_equal(
        stored[columns].sort_values(key, ignore_index=True), told.readings[columns].sort_values(key, ignore_index=True)
    )


def test_there_is_one_whole_plan_for_every_window(survivor, began):
    start = (began - timedelta(hours=23)).replace(minute=0, second=0, microsecond=0)
    plans = Archive(survivor.home / "data" / "archive").read(
        SHADE_SETPOINT_SCHEDULE, start, start + timedelta(hours=20)
    )
    assert plans["issued_at"].nunique() == 80
    assert plans.groupby(["issued_at", "room"]).size().eq(144).all()
    assert plans.groupby("issued_at")["room"].nunique().eq(len(SITE.rooms)).all()


def test_no_run_is_left_under_way_for_ever(survivor):
    """A run that starts during the wait is new work of the schedule; it has to end as well."""

    def none_unfinished() -> bool:
        answer = httpx.post(f"{survivor.ui}/graphql", json={"query": UNFINISHED}, timeout=60).json()
        return answer["data"]["runsOrError"]["results"] == []

    wait_until("the end of all runs", none_unfinished, 240, pause=2.0)
    assert not DagsterApi(survivor.ui).backfill_under_way()


def test_every_file_is_whole(survivor):
    archive = Archive(survivor.home / "data" / "archive")
    assert archive.corrupt() == []
    for frame in FRAMES:
        rows = archive.read(frame)
        assert not rows.duplicated(list(frame.key)).any(), frame.name
    databases = [*(survivor.home / "dagster").rglob("*.db"), *(survivor.home / "data" / "cache").glob("*.sqlite")]
    assert len(databases) >= 5
    for database in databases:
        assert integrity(database) == "ok", database


def integrity(database: Path) -> str:
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        return connection.execute("PRAGMA integrity_check").fetchone()[0]


def test_the_next_write_of_a_day_removes_what_a_killed_writer_left(survivor):
    root = survivor.home / "data"
    archive = Archive(root / "archive")
    for frame in FRAMES:
        for _, rows in archive.read_days(frame):
            assert archive.merge(frame, rows[:1]).new == 0
    assert [path for path in root.rglob("*.tmp") if "room_table" not in str(path)] == []


def test_a_polite_signal_stops_every_process(survivor):
    assert survivor.stop(signal.SIGTERM) == 0
    assert survivor.services() == []
    assert survivor.output.endswith("Stopped.\n")
