"""Every query of the dashboards and alerts on the real InfluxDB, filled with a day by the real pipeline.

The twin is read over HTTP, the assets run, and the sinks deliver. Faults give one point or more every state, so that
nothing depends on what the twin's day had; the same states are looked for in Dagster's UI and on the quality page.
"""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path

import dagster as dg
import httpx
import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from playwright.sync_api import expect
from starlette.responses import JSONResponse, Response

from esus_pipeline.alerts.system import points
from esus_pipeline.archive import Archive
from esus_pipeline.cli import main
from esus_pipeline.defs.checks import CHECKS
from esus_pipeline.defs.jobs import ASSETS
from esus_pipeline.defs.partitions import floor, key_of, range_tags
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.sinks import SINK_ASSETS
from esus_pipeline.frames import SAVINGS, STEP
from esus_pipeline.quality.states import State
from esus_pipeline.settings import Settings
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline.simulator import faults as twin_faults
from esus_pipeline.site import load_site
from esus_pipeline_tests.defs.conftest import open_instance
from esus_pipeline_tests.grafana.asked import Query, boards, has_values, panel_queries, resolve, rule_queries
from esus_pipeline_tests.real.browser import browser, shoot
from esus_pipeline_tests.real.influx_target import InfluxTarget
from esus_pipeline_tests.real.processes import PYTHON, end_session, environment, free_port, listens, wait_until
from esus_pipeline_tests.simulator.conftest import serving

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
FAULTS = ("controller_late", "point_lost", "point_never", "point_absurd", "point_stuck")
SICK = {
    6397: (State.MISSING, r"missing since \S+ \S+ UTC, final: silent for more than 8\.5 h"),
    6023: (State.NEVER_REPORTED, r"never reported, nothing of it was ever received: is the point id right"),
    6336: (State.IMPLAUSIBLE, r"implausible since \S+ \S+ UTC, it speaks, but nothing it says can be believed"),
    6401: (State.STUCK, r"stuck since \S+ \S+ UTC, it speaks, but always says the same"),
    249781: (State.LATE, r"late since \S+ \S+ UTC, provisional: may still be delivered"),
}
"""Points that the faults hit, what they are then, and what the check says of them."""
SWITCH = 752511
"""A setpoint that says nothing here, ever: it is not among the points that are not well."""
LIMITS = {
    "celsius": (-40, 130),
    "lux": (0, 120_000),
    "percent": (0, 100),
    "ppm": (200, 5000),
    "velocityms": (0, 60),
    "Wm2": (-5, 1500),
}
"""What a value in a unit can be, so that a panel whose unit is not its data's is found."""


@contextmanager
def sick_building() -> Iterator[str]:
    """A twin with all FAULTS and nothing of SWITCH.

    Without them the points in SICK would have spoken at least every hour of the last day.
    """
    for seed in count(1):
        with serving(SimulatorConfig(seed=seed, request_s=0, point_s=0, username="demo", password="demo")) as url:
            if steady(url):
                for name in FAULTS:
                    httpx.post(f"{url}/faults/{name}").raise_for_status()
                with pytest.MonkeyPatch.context() as patch:
                    patch.setitem(twin_faults.FAULTS, "switch_never", twin_faults.Fault("", "bms", without_switch))
                    httpx.post(f"{url}/faults/switch_never").raise_for_status()
                    yield url
                return


async def without_switch(body: bytes, context: twin_faults.Context) -> Response:
    records = json.loads(body)
    return JSONResponse([each for each in records if not context.ids or each["externallogid"] != SWITCH])


def steady(twin: str) -> bool:
    end = datetime.now(UTC)
    span = {"starttime": (end - DAY).isoformat(), "endtime": end.isoformat(), "externallogid": [*SICK]}
    records = httpx.get(f"{twin}/api/v1/trenddata", params=span, auth=("demo", "demo"), timeout=300).json()
    heard = pd.DataFrame(records, columns=["externallogid", "timestamp"])
    stamps = pd.to_datetime(heard["timestamp"]).dt.tz_localize("Europe/Copenhagen", ambiguous=True)
    edge = pd.Series([end - DAY, end])
    silences = [pd.concat([edge, stamps[heard["externallogid"] == point]]).sort_values().diff().max() for point in SICK]
    return max(silences) < timedelta(hours=1)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("day")


@pytest.fixture(scope="module")
def filled(influx_server: InfluxTarget, home: Path) -> Iterator[InfluxTarget]:
    """The real server after a backfilled day, the newest window polled alone as the schedule does it."""
    newest = floor(datetime.now(UTC)) - STEP
    with sick_building() as url:
        with pytest.MonkeyPatch.context() as patch, open_instance(home) as instance:
            for name, value in (settings_of(url, home / "data") | influx_server.environment).items():
                patch.setenv(name, value)
            given = resources(Settings.from_env())
            day = range_tags(key_of(newest - DAY), key_of(newest))
            before = range_tags(key_of(newest - DAY), key_of(newest - STEP))
            assert dg.materialize(ASSETS, instance=instance, resources=given, tags=before).success
            chain = [*ASSETS, *CHECKS]
            assert dg.materialize(chain, instance=instance, resources=given, partition_key=key_of(newest)).success
            judge_a_day(Archive(home / "data" / "archive"), newest)
            assert dg.materialize(SINK_ASSETS, instance=instance, resources=given, tags=day).success
        yield influx_server


def settings_of(twin: str, data: Path) -> dict[str, str]:
    """The environment of a pipeline that reads the twin, its events written in batches as in the demo."""
    return {
        "ESUS_BMS_URL": twin,
        "ESUS_BMS_USERNAME": "demo",
        "ESUS_BMS_PASSWORD": "demo",
        "ESUS_FORECAST_URL": twin,
        "ESUS_FORECAST_FALLBACK_URL": twin,
        "ESUS_CONTACT": "test@localhost",
        "ESUS_DATA_DIR": str(data),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
    }


def judge_a_day(archive: Archive, newest: datetime) -> None:
    """What a finished day was worth: the twin's day is not finished."""
    judged = pd.DataFrame({"day": [pd.Timestamp(newest - DAY).floor("D")], "room": "1.213", "outcome": "advice"})
    figures = dict.fromkeys(SAVINGS.schema.names[5:-1], 1.0)
    archive.merge(SAVINGS, judged.assign(reason="", version=1, draws="[1.0]", **figures))


def wrong(query: Query, ask: Callable[[str], list[dict]], unit: str | None = None) -> str | None:
    """What is wrong with the answer to a query: an error, nothing at all, or a value that cannot be in that unit."""
    try:
        rows = ask(query.text)
    except AssertionError as error:
        return f"{query.place}: {error}: {query.text}"
    if not has_values(rows):
        return f"{query.place}: nothing from {query.text}"
    low, high = LIMITS.get(unit, (-np.inf, np.inf))
    values = [value for row in rows for name, value in row.items() if name != "time" and isinstance(value, int | float)]
    odd = [value for value in values if not low <= value <= high]
    return f"{query.place}: {odd[:3]} are not in {unit}" if odd else None


@pytest.mark.parametrize("uid", boards())
def test_every_panel_shows_something_and_in_its_unit(filled, uid):
    board, now = boards()[uid], datetime.now(UTC)
    asked = list(panel_queries(board, resolve(board, filled.query, now), now))
    answers = [wrong(query, filled.query, unit_of(panel)) for panel, query in asked]
    assert [answer for answer in answers if answer] == []
    assert len(asked) >= len([panel for panel in board["panels"] if panel.get("targets")])


def unit_of(panel: dict) -> str | None:
    """The unit of all that a panel shows; a table has one in every column."""
    return None if panel["type"] == "table" else panel["fieldConfig"]["defaults"]["unit"]


def test_every_alert_can_be_evaluated(filled):
    asked = list(rule_queries(datetime.now(UTC)))
    assert [answer for _, query in asked if (answer := wrong(query, filled.query))] == []
    assert {rule["uid"] for rule, _ in asked} >= {"esus-silent", "esus-backlog", "esus-old-plan", "esus-points-missing"}


def test_the_quality_dashboard_shows_every_state_whose_it_is_and_every_check(filled):
    board, now = boards()["esus-quality"], datetime.now(UTC)
    answers: dict[str, list[list[dict]]] = {}
    for panel, query in panel_queries(board, resolve(board, filled.query, now), now):
        answers.setdefault(panel["title"], []).append(filled.query(query.text))
    assert len(answers["Points by state"]) == len(State)
    assert all(count["count"] >= 1 for [count] in answers["Points by state"])
    table = {int(row["Point"]): row for row in answers["Points that are not well, and since when"][0]}
    assert {point: table[point]["State"] for point in SICK} == {point: state for point, (state, _) in SICK.items()}
    assert SWITCH not in table
    ages = {point: table[point]["Newest reading"] for point in SICK}
    assert ages[6023] is None
    assert 510 < ages[6397] < 660
    assert 150 < ages[249781] < 240
    silent = now - pd.to_datetime(table[6397]["Since"], unit="ms", utc=True)
    assert timedelta(minutes=510) < silent < timedelta(minutes=690)
    gaps = {int(row["Point"]): (row["State"], row["Length"]) for row in answers["Gaps"][0]}
    assert gaps[6397] == ("missing", None)
    assert gaps[249781] == ("late", None)
    checks = {(row["Asset"], row["Check"]): row for [rows] in [answers["Asset checks"]] for row in rows}
    assert set(checks) == {(key.asset_key.to_user_string(), key.name) for check in CHECKS for key in check.check_keys}
    told = checks["point_states", "points"]
    assert (told["Result"], told["What it found"][:12]) == ("failed", "Share of poi")


def test_every_state_is_seen_in_dagsters_ui_and_on_the_quality_page(filled, home):
    page_file = home / "quality.html"
    CliRunner().invoke(
        main, ["quality", "--since", "1d", "--html", str(page_file)], env={"ESUS_DATA_DIR": str(home / "data")}
    )
    with webserver(home) as ui, browser(1500, 1600) as (page, witness):
        page.goto(f"{ui}{link_of_a_mail(home)}")
        for point, (_, told) in SICK.items():
            expect(page.get_by_role("row").filter(has_text=f"({point})").last).to_contain_text(re.compile(told))
        shoot(page, "every-state-check")
        page.goto(f"{ui}/assets/point_states?view=overview")
        for state in State:
            counted = page.get_by_role("row").filter(has_text=f"rows_{state}")
            expect(counted).to_contain_text(re.compile(r"[1-9]\d*$"))
        page.goto(page_file.as_uri())
        for point, (state, _) in SICK.items():
            row = page.get_by_role("row").filter(has_text=str(point)).first
            expect(row).to_contain_text(state.replace("_", " "))
        shoot(page, "every-state-report", full_page=True)
    assert witness.errors == []


def link_of_a_mail(home: Path) -> str:
    """The page that a message about the stuck point leads to."""
    conditions = {
        each.key: each for each in points(load_site("tmv23"), Archive(home / "data" / "archive"), datetime.now(UTC))
    }
    return conditions["point:6401:stuck"].link


@contextmanager
def webserver(home: Path) -> Iterator[str]:
    """Dagster's own on the instance of `home`."""
    port = free_port()
    settings = settings_of("http://127.0.0.1:9", home / "data") | {"DAGSTER_HOME": str(home / "dagster")}
    command = [*PYTHON, "-m", "dagster_webserver", "--host", "127.0.0.1", "--port", str(port)]
    with (home / "webserver.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "-m", "esus_pipeline.definitions"],
            env=environment(**settings),
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            wait_until("the webserver", lambda: listens(port), 60)
            yield f"http://127.0.0.1:{port}"
        finally:
            end_session(process)
