"""The chain through Dagster: one quarter of an hour from tick to schedule, and ranged backfills, on SQLite."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from string import Template

import httpx
import pandas as pd

import esus_pipeline.demo
from esus_pipeline.site import load_site
from esus_pipeline_tests.bench.servers import PASSWORD, USERNAME, simulator

KEY_FORMAT = "%Y-%m-%d-%H:%M"
BATCHED = {"DAGSTER_EVENT_BATCH_SIZE": "1000", "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1"}


@dataclass(frozen=True)
class _Cost:
    wall_s: float
    cpu_s: float
    peak_mb: float


def quarter_hour() -> list[dict[str, object]]:
    """The newest whole window through all assets, started as the code server does, and in a process of its own."""
    with _Bench() as bench:
        key, before = (_key(bench.now - timedelta(minutes=minutes)) for minutes in (15, 30))
        bench.run(before, before, "in_process")
        ours = min((bench.run(key, key, "in_process", start="warm") for _ in range(3)), key=lambda cost: cost.cpu_s)
        cold = min((bench.run(key, key, "in_process") for _ in range(2)), key=lambda cost: cost.cpu_s)
        other = bench.run(key, key, "multiprocess")
    what = "one quarter-hour, tick to schedule, in-process / multiprocess executor"
    return [
        _row("c_wall", f"{what}: wall", ours.wall_s, other.wall_s, ours.peak_mb),
        _row("c_cpu", f"{what}: CPU", ours.cpu_s, other.cpu_s, ours.peak_mb),
        _row(
            "c_warm",
            "the same, CPU of a warm run / of a process that imports first",
            ours.cpu_s,
            cold.cpu_s,
            cold.peak_mb,
        ),
    ]


def backfills() -> list[dict[str, object]]:
    """1 and 30 days through all assets, ours with the batching storage, the other 1 day with Dagster's defaults."""
    rows = []
    with _Bench() as bench:
        midnight = bench.now.replace(hour=0, minute=0)
        day = (_key(midnight - timedelta(days=32)), _key(midnight - timedelta(days=31, minutes=15)))
        bench.run(*day, "in_process", storage="warm-up")
        stock = bench.run(*day, "in_process", storage="stock", batched=False)
        one = bench.run(*day, "in_process")
        rows.append(
            _row(
                "d1",
                "backfill of 1 day (96 windows, all assets) / stock event storage",
                one.wall_s,
                stock.wall_s,
                one.peak_mb,
            )
        )
        bench.simulate(midnight - timedelta(days=31), midnight)
        month = (_key(midnight - timedelta(days=31)), _key(midnight - timedelta(days=1, minutes=15)))
        thirty = bench.run(*month, "in_process")
        rows.append(
            _row(
                "d30",
                "backfill of 30 days (2,880 windows; the building has simulated them) / 30 times one day",
                thirty.wall_s,
                30 * one.wall_s,
                thirty.peak_mb,
            )
        )
    return rows


class _Bench:
    """A folder, a simulator and the environment that binds them."""

    def __enter__(self) -> "_Bench":
        self._folder = tempfile.TemporaryDirectory()
        self._home = Path(self._folder.name)
        self._simulator = simulator()
        url = self._simulator.__enter__()
        stamp = datetime.now(UTC)
        self.now = stamp.replace(minute=stamp.minute // 15 * 15, second=0, microsecond=0)
        self._env = {
            **{name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"},
            "ESUS_SITE": "tmv23",
            "ESUS_BMS_URL": url,
            "ESUS_BMS_USERNAME": USERNAME,
            "ESUS_BMS_PASSWORD": PASSWORD,
            "ESUS_FORECAST_URL": url,
            "ESUS_FORECAST_FALLBACK_URL": url,
            "ESUS_PRICE_URL": url,
            "ESUS_CONTACT": "bench@localhost",
            "ESUS_DATA_DIR": str(self._home / "data"),
            "PYTHONWARNINGS": "ignore",
        }
        return self

    def __exit__(self, *_: object) -> None:
        self._simulator.__exit__(None, None, None)
        self._folder.cleanup()

    def simulate(self, start: datetime, end: datetime) -> None:
        """Let the building simulate its weeks, which a real one need not: by asking one point for each day."""
        point = load_site(self._env["ESUS_SITE"]).points[0].id
        with httpx.Client(base_url=self._env["ESUS_BMS_URL"], auth=(USERNAME, PASSWORD), timeout=300.0) as client:
            for day in pd.date_range(start, end, freq="D", inclusive="left"):
                span = {"starttime": day.isoformat(), "endtime": (day + pd.Timedelta(days=1)).isoformat()}
                client.get("/api/v1/trenddata", params={**span, "externallogid": point}).raise_for_status()

    def forget(self) -> None:
        """Empty the archive and the event log."""
        for folder in ("data", "batching"):
            shutil.rmtree(self._home / folder, ignore_errors=True)

    def run(
        self, first: str, last: str, executor: str, storage: str = "batching", batched: bool = True, start: str = "cold"
    ) -> _Cost:
        """One run in a process of its own (see one_run); RuntimeError with the end of its output when it fails."""
        home = self._home / storage
        home.mkdir(exist_ok=True)
        template = (Path(esus_pipeline.demo.__file__).parent / "dagster.yaml").read_text(encoding="utf-8")
        settings = (
            Template(template).substitute(home=home) if storage == "batching" else "telemetry: {enabled: false}\n"
        )
        (home / "dagster.yaml").write_text(settings, encoding="utf-8")
        env = {**self._env, "DAGSTER_HOME": str(home), **(BATCHED if batched else {})}
        command = [sys.executable, "-m", "esus_pipeline_tests.bench.one_run", start, executor, first, last]
        log = home / "output.log"
        began = time.monotonic()
        with log.open("wb") as errors:
            process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors)
            said = process.stdout.read() if process.stdout else b""
            _, status, usage = os.wait4(process.pid, 0)
        wall = time.monotonic() - began
        if status:
            raise RuntimeError(log.read_text(encoding="utf-8")[-3000:])
        if start == "warm":
            return _Cost(**json.loads(said))
        return _Cost(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def _key(instant: datetime) -> str:
    return instant.strftime(KEY_FORMAT)


def _row(id_: str, what: str, ours: float, other: float, peak_mb: float) -> dict[str, object]:
    ratio = round(other / ours, 2)
    return {
        "id": id_,
        "what": what,
        "ours": round(ours, 2),
        "other": round(other, 2),
        "ratio": ratio,
        "unit": "s",
        "peak_mb": round(peak_mb),
    }
