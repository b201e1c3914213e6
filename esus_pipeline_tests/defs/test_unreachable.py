"""A building that gives nothing usable: the run fails, and what came instead of readings is kept."""

import dagster as dg

from esus_pipeline.archive import Archive
from esus_pipeline.defs.readings import raw_bms_readings
from esus_pipeline.defs.resources import resources
from esus_pipeline.frames import QUARANTINE, RAW_BMS_READINGS
from esus_pipeline.settings import Settings
from esus_pipeline.simulator import SimulatorConfig
from esus_pipeline_tests.simulator.conftest import serving


def test_a_poll_that_reads_nothing_leaves_a_sample_in_the_quarantine(instance, tmp_path, monkeypatch):
    monkeypatch.setattr("esus_pipeline.bms.poll.pause_s", lambda *_: 0.0)
    config = SimulatorConfig(request_s=0, point_s=0, username="demo", password="demo", faults=("html_page",))
    with serving(config) as url:
        for name, value in {"URL": url, "USERNAME": "demo", "PASSWORD": "demo"}.items():
            monkeypatch.setenv(f"ESUS_BMS_{name}", value)
        result = dg.materialize(
            [raw_bms_readings],
            instance=instance,
            resources=resources(Settings(data_dir=tmp_path / "data")),
            partition_key="2026-06-19-10:00",
            raise_on_error=False,
        )
    assert not result.success
    archive = Archive(tmp_path / "data" / "archive")
    assert archive.read(RAW_BMS_READINGS).empty
    kept = archive.read(QUARANTINE)
    assert kept[["source", "reason"]].to_numpy().tolist() == [["bms", "not_json"]]
    assert "<title>Login</title>" in kept["record"].iloc[0]
