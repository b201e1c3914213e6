"""The backup drill: what the three stores hold is copied, lost and put back by the scripts of deploy/, and counted."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.frames import RAW_BMS_READINGS
from esus_pipeline_tests.deploy.compose import REPO
from esus_pipeline_tests.deploy.stack import Stack, prepared

pytestmark = pytest.mark.real

ROWS = 96
MATERIALIZE = """
import dagster as dg
with dg.DagsterInstance.get() as instance:
    for _ in range(3):
        instance.report_runless_asset_event(dg.AssetMaterialization("raw_bms_readings"))
"""


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Stack]:
    """The databases alone, with something in each and in the archive."""
    with prepared(tmp_path / "stack") as stack, stack.network():
        for name in ("influxdb", "postgres"):
            stack.start_service(name)
            stack.wait_healthy(name)
        subprocess.run(stack.words("code", ["python", "-c", MATERIALIZE]), check=True, capture_output=True, timeout=300)
        fill_archive(stack)
        points = httpx.post(
            f"{stack.influx.url}/api/v2/write?org=esus&bucket=esus",
            content='drill value=1,note="a" 1\ndrill value=2 2',
            headers={"Authorization": f"Token {stack.influx.token}"},
        )
        assert points.status_code == 204
        yield stack


def fill_archive(stack: Stack) -> None:
    """Readings of a day, as the pipeline's user has them."""
    stamps = pd.date_range("2026-01-10", periods=ROWS, freq="15min", tz="UTC")
    rows = pd.DataFrame({"point_id": 1, "timestamp": stamps, "value": 20.0, "received_at": stamps})
    data = stack.machine.volumes / "data"
    Archive(data / "archive").merge(RAW_BMS_READINGS, rows)
    for path in (data / "archive", *(data / "archive").rglob("*")):
        os.chown(path, 10001, 10001)


def deploy(stack: Stack, script: str, *words: Path) -> subprocess.CompletedProcess[str]:
    """Run a script of deploy/ with the stack in place of Docker."""
    return subprocess.run(
        [REPO / "deploy" / script, *words],
        env={**os.environ, "ESUS_RUN": str(stack.runner())},
        capture_output=True,
        text=True,
        timeout=300,
    )


def test_a_backup_restores_the_whole_system(stack, tmp_path):
    made = deploy(stack, "backup.sh", tmp_path / "backups")
    assert made.returncode == 0, made.stderr
    [backup] = (tmp_path / "backups").iterdir()
    before = dict(line.split() for line in (backup / "counts").read_text(encoding="utf-8").splitlines())
    assert before["postgres.materializations"] == "3"
    assert before["archive.raw_bms_readings"] == str(ROWS)
    assert before["influxdb.drill"] == "3"

    stack.execute("postgres", "dropdb", "-U", "dagster", "--force", "dagster")
    shutil.rmtree(stack.machine.volumes / "data" / "archive")
    stack.influx.empty()

    archive = backup / "archive.tar"
    whole = archive.read_bytes()
    archive.write_bytes(whole[:-1] + b"x")
    damaged = deploy(stack, "restore.sh", backup)
    assert damaged.returncode == 1
    assert "is damaged" in damaged.stderr
    archive.write_bytes(whole)
    restored = deploy(stack, "restore.sh", backup)
    assert restored.returncode == 0, restored.stdout + restored.stderr
    assert f"all {len(before)} counts are as they were" in restored.stdout
    assert stack.influx.count("drill") == 2
    assert len(Archive(stack.machine.volumes / "data" / "archive").read(RAW_BMS_READINGS)) == ROWS
