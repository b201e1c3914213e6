"""The demo in a real browser: the graph of the chain, a backfill launched by clicking, and the plan page."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Page, expect

from esus_pipeline.archive import Archive
from esus_pipeline.control import Optimum
from esus_pipeline.demo.dagster_api import LOCATION, DagsterApi
from esus_pipeline.frames import OPTIMAL_PLAN, SHADE_SETPOINT_SCHEDULE
from esus_pipeline.report.render import pretty
from esus_pipeline.site import load_site
from esus_pipeline_tests.real.browser import SECOND, browser, shoot
from esus_pipeline_tests.real.processes import Demo, wait_until

pytestmark = pytest.mark.real

ASSETS = [
    "raw_bms_readings", "clean_series", "point_states", "weather_forecast", "solar_gain", "shade_setpoint_schedule",
]  # fmt: skip
DAY = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
FIRST, LAST = f"{DAY}-00:00", f"{DAY}-23:45"

RUNS = """
query ($backfill: String!) {
  runsOrError(filter: {tags: [{key: "dagster/backfill", value: $backfill}]}) {
    ... on Runs { results { runId status } }
  }
  partitionBackfillOrError(backfillId: $backfill) { ... on PartitionBackfill { status numPartitions } }
}"""


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    demo = Demo(tmp_path_factory.mktemp("demo"))
    try:
        demo.start()
        demo.wait_green(400)
        yield demo
    finally:
        demo.end()


def open_graph(page: Page, demo: Demo) -> None:
    """The lineage of everything, where the groups are seen, and of the job, small enough that every asset is drawn."""
    page.goto(f"{demo.ui}/asset-groups")
    expect(page.get_by_role("button", name="Materialize all")).to_be_enabled(timeout=60 * SECOND)
    for group in ("readings", "weather", "quality", "control"):
        expect(page.get_by_text(group, exact=True).first).to_be_visible(timeout=60 * SECOND)
    shoot(page, "lineage")
    page.goto(f"{demo.ui}/locations/{LOCATION}/jobs/quarter_hour")
    page.get_by_text("readings", exact=True).first.wait_for()
    page.keyboard.press("Alt+e")  # expands the groups
    for asset in ASSETS:
        expect(page.get_by_text(asset, exact=True).first).to_be_visible(timeout=30 * SECOND)


def launch_backfill_by_hand(page: Page, demo: Demo) -> str:
    """The job's page, Materialize all..., type the range of partitions, Launch backfill; the id that the page shows."""
    page.goto(f"{demo.ui}/locations/{LOCATION}/jobs/quarter_hour")
    page.get_by_role("button", name="Materialize all").click()
    dialog = page.get_by_role("dialog")
    chosen = dialog.locator("input[type=text]").first
    chosen.fill(f"[{FIRST}...{LAST}]")
    chosen.press("Tab")
    expect(dialog.get_by_text("96 partitions")).to_be_visible()
    shoot(page, "backfill-dialog")
    dialog.get_by_role("button", name="Launch backfill").click()
    toast = page.get_by_text(re.compile("Created backfill"))
    toast.wait_for()
    page.wait_for_timeout(SECOND)  # it slides in
    shoot(page, "backfill-created")
    found = re.search(r"Created backfill\s+(\w+)", page.inner_text("body"))
    assert found
    return found[1]


def ask(demo: Demo, backfill: str) -> dict:
    answer = httpx.post(f"{demo.ui}/graphql", json={"query": RUNS, "variables": {"backfill": backfill}}, timeout=60)
    return answer.raise_for_status().json()["data"]


def test_a_backfill_launched_in_the_browser_fills_a_day_in_one_run(demo):
    with browser(3200, 1800) as (page, witness):
        open_graph(page, demo)
        shoot(page, "asset-graph")
        backfill = launch_backfill_by_hand(page, demo)
        done = wait_until(
            "the end of the backfill",
            lambda: (found := ask(demo, backfill))["partitionBackfillOrError"]["status"] != "REQUESTED" and found,
            300,
            pause=2.0,
        )
        page.goto(f"{demo.ui}/runs/b/{backfill}")
        page.get_by_text("Completed").first.wait_for()
        shoot(page, "backfill-done")
    assert done["partitionBackfillOrError"] == {"status": "COMPLETED_SUCCESS", "numPartitions": 96}
    assert [run["status"] for run in done["runsOrError"]["results"]] == ["SUCCESS"]
    for asset, ranges in DagsterApi(demo.ui).materialized(ASSETS).items():
        assert any(first <= FIRST and last >= LAST for first, last in ranges), (asset, ranges)
    assert witness.errors == []
    assert witness.hosts == {"127.0.0.1"}


CHECKS = {
    ("raw_bms_readings", "freshness"): r"The newest reading of the building is \d+ min old",
    ("raw_bms_readings", "schema_drift"): r"\d+ points vanished, \d+ renamed, \d+ new",
    ("weather_forecast", "age"): r"Age of the forecast in force: [\d.]+ h",
    ("weather_forecast", "plausibility"): r"Faults of the forecast in force: \d+",
    ("clean_series", "completeness"): r"Share of expected room values: [\d.]+ %",
    ("clean_series", "plausibility"): r"Share of readings that cannot be believed: [\d.]+ %",
    ("clean_series", "window_contacts"): r"contradicts 0 of 6 window contacts",
    ("point_states", "controller_lateness"): r"Lateness of a controller over what is normal for it: [\d.]+ min",
    ("point_states", "points"): r"Share of points late, missing, stuck or implausible: [\d.]+ %",
    ("shade_setpoint_schedule", "publishable"): r"Faults of the plan: 0",
}


def test_every_check_says_in_the_browser_what_it_found(demo):
    with browser(1500, 1100) as (page, witness):
        for (asset, check), found in CHECKS.items():
            page.goto(f"{demo.ui}/assets/{asset}?view=checks&checkDetail={check}")
            expect(page.get_by_text(check, exact=True).first).to_be_visible()
            expect(page.get_by_text(re.compile(found)).first).to_be_visible()
            expect(page.get_by_text(re.compile("Passed|Failed")).first).to_be_visible()
            shoot(page, f"check-{asset}-{check}".replace("_", "-"))
    assert witness.errors == []
    assert witness.hosts == {"127.0.0.1"}


def test_the_plan_is_made_by_the_optimiser_and_says_why(demo):
    site, archive = load_site("tmv23"), Archive(demo.home / "data" / "archive")
    optimum = Optimum.from_frame(archive.read(OPTIMAL_PLAN), site.room_ids)
    assert optimum.why == {}
    plans = archive.read(SHADE_SETPOINT_SCHEDULE)
    newest = plans[plans["issued_at"] == plans["issued_at"].max()]
    assert set(newest["room"]) == set(site.room_ids)
    assert newest["reason"].str.len().gt(10).all()
    now = newest[newest["valid_time"] == newest["issued_at"]]
    assert len(now) == len(site.rooms)
    with browser(1280, 900) as (page, _):
        page.goto(demo.plan_page)
        for row in now.itertuples():
            card = page.get_by_role("article", name=site.room(row.room).title)
            expect(card.get_by_text(pretty(row.reason), exact=True).first).to_be_attached()


@pytest.mark.parametrize(("name", "width", "height"), [("plan-desktop", 1280, 900), ("plan-phone", 390, 844)])
def test_the_plan_page_shows_every_room_and_asks_nobody_else(demo, name, width, height):
    site = load_site("tmv23")
    with browser(width, height) as (page, witness):
        page.goto(demo.plan_page)
        for room in site.rooms:
            expect(page.get_by_role("heading", name=room.title)).to_be_visible()
        assert page.locator("svg").count() >= len(site.rooms)
        overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        shoot(page, name, full_page=True)
    assert overflow <= 0, "the page must not scroll sideways"
    assert witness.errors == []
    assert witness.hosts == {"127.0.0.1"}


def test_a_second_demo_of_the_same_home_is_refused_and_harms_nothing(demo):
    second = Demo(demo.home, "second")
    before = [process.pid for process in demo.services()]
    second.start()
    wait_until("the refusal", lambda: not second.alive, 60)
    assert "A demo is running already" in second.output
    assert demo.alive
    assert [process.pid for process in demo.services()] == before


def _content(path: Path) -> bytes:
    """Nothing where the file has gone meanwhile: SQLite's logs come and go in a running system."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_the_password_of_the_building_is_nowhere_on_disk(demo):
    password = next(
        process.environ()["ESUS_BMS_PASSWORD"] for process in demo.services() if "simulator" in str(process.cmdline())
    )
    assert len(password) > 10
    files = [path for path in demo.home.rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if password.encode() in _content(path)] == []


def test_ctrl_c_stops_every_process(demo):
    assert demo.stop() == 0
    assert demo.services() == []
    assert demo.output.endswith("Stopped.\n")
