"""Every query of the dashboards and alerts on the real InfluxDB, filled with a day by the real pipeline.

The twin is read over HTTP, the assets run, and the sinks deliver. So that nothing depends on what the twin's day had,
the archive gets one point in every state and one flagged reading before the delivery.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.defs.jobs import ASSETS
from esus_pipeline.defs.partitions import floor, key_of, range_tags
from esus_pipeline.defs.resources import resources
from esus_pipeline.defs.sinks import SINK_ASSETS
from esus_pipeline.frames import CLEAN_SERIES, POINT_STATE, SAVINGS, STEP
from esus_pipeline.quality.states import State
from esus_pipeline.settings import Settings
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline_tests.defs.conftest import open_instance
from esus_pipeline_tests.grafana.asked import Query, boards, has_values, panel_queries, resolve, rule_queries
from esus_pipeline_tests.real.influx_target import InfluxTarget
from esus_pipeline_tests.simulator.conftest import serving

pytestmark = pytest.mark.real

DAY = timedelta(days=1)
LIMITS = {
    "celsius": (-40, 130),
    "lux": (0, 120_000),
    "percent": (0, 100),
    "ppm": (200, 5000),
    "velocityms": (0, 60),
    "Wm2": (-5, 1500),
}
"""What a value in a unit can be, so that a panel whose unit is not its data's is found."""


@pytest.fixture(scope="module")
def filled(influx_server: InfluxTarget, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InfluxTarget]:
    """The real server after a backfilled day, the newest window polled alone as the schedule does it."""
    home = tmp_path_factory.mktemp("day")
    newest = floor(datetime.now(UTC)) - STEP
    with serving(SimulatorConfig(request_s=0, point_s=0, username="demo", password="demo")) as url:
        with pytest.MonkeyPatch.context() as patch, open_instance(home) as instance:
            for name, value in (settings_of(url, home / "data") | influx_server.environment).items():
                patch.setenv(name, value)
            given = resources(Settings.from_env())
            day = range_tags(key_of(newest - DAY), key_of(newest))
            before = range_tags(key_of(newest - DAY), key_of(newest - STEP))
            assert dg.materialize(ASSETS, instance=instance, resources=given, tags=before).success
            assert dg.materialize(ASSETS, instance=instance, resources=given, partition_key=key_of(newest)).success
            show_everything(home / "data" / "archive", newest)
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


def show_everything(folder: Path, newest: datetime) -> None:
    """One point in every state in the newest window, one judged day, and one flagged reading."""
    archive = Archive(folder)
    states = archive.read(POINT_STATE, newest, newest + STEP).head(len(State))
    assert len(states) == len(State)
    archive.merge(POINT_STATE, states.assign(state=[str(state) for state in State]))
    judged = pd.DataFrame({"day": [pd.Timestamp(newest - DAY).floor("D")], "room": "1.213", "outcome": "advice"})
    figures = dict.fromkeys(SAVINGS.schema.names[5:-1], 1.0)
    archive.merge(SAVINGS, judged.assign(reason="", version=1, draws="[1.0]", **figures))
    reading = archive.read(CLEAN_SERIES, newest - DAY, newest).head(1)
    archive.merge(CLEAN_SERIES, reading.assign(quality="out_of_range"))


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
