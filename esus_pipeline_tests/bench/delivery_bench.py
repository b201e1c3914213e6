"""Delivery to the real InfluxDB: encoding, sending, and from a schedule's tick to a point that can be read.

500,000 rows of clean_series, 171 points. The row-by-row way is what many pipelines do (iterrows, a Point each, the
client's batching writer); it is measured on fewer rows and scaled up. The ceiling is curl pushing the same bodies.
"""

import gzip
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
from influxdb_client import InfluxDBClient, Point, WritePrecision

from esus_pipeline.archive import Archive
from esus_pipeline.influx import SINKS, Delivered, InfluxConfig, Sender, deliver_rows
from esus_pipeline.influx.lines import Tally, batches, encode
from esus_pipeline.influx.sender import BATCH
from esus_pipeline.site import load_site
from esus_pipeline_tests.bench.measure import Measured, measure
from esus_pipeline_tests.real.influx_system import System, system
from esus_pipeline_tests.real.influx_target import InfluxTarget, running
from esus_pipeline_tests.real.processes import wait_until

ROWS, ROW_BY_ROW, POINTS = 500_000, 10_000, 171
SITE = load_site("tmv23")
SHAPE = SINKS["influx_clean_series"][0].shape(SITE)


def encoding() -> list[dict[str, object]]:
    """Lines of 500,000 rows; the other side makes a Point of each row."""
    rows, few = _rows(ROWS), _rows(ROW_BY_ROW)
    ours = measure(lambda: sum(map(len, batches(encode(SHAPE, rows, Tally(), site="s"), BATCH))))
    other = _scaled(measure(lambda: sum(len(_point(row).to_line_protocol()) for _, row in few.iterrows()), repeat=1))
    return [_row("encode", "lines of 500,000 rows / iterrows -> Point -> line", ours, other)]


def delivering() -> list[dict[str, object]]:
    """500,000 rows into InfluxDB, checked to be there; and the memory that 2,000,000 take."""
    rows, few = _rows(ROWS), _rows(ROW_BY_ROW)
    with tempfile.TemporaryDirectory() as folder, running(Path(folder)) as influx:
        ours = _filling(influx, ROWS, lambda: _deliver(influx, rows))
        bodies = _bodies(Path(folder), rows)
        curl = _filling(influx, ROWS, lambda: _curl(influx, bodies))
        other = _scaled(_filling(influx, ROW_BY_ROW, lambda: _row_by_row(influx, few), repeat=1))
        half = measure(lambda: _deliver(influx, _rows(1_000_000)), repeat=1)
        whole = measure(lambda: _deliver(influx, _rows(2_000_000)), repeat=1)
        frame = measure(lambda: _rows(2_000_000) is None, repeat=1)
    return [
        _row("deliver", "500,000 rows into InfluxDB / iterrows -> Point -> batching", ours, other),
        _row("deliver_curl", "the same / curl with the same bodies, ready made", ours, curl),
        {
            **_row(
                "deliver_2m", "2,000,000 rows / twice 1,000,000; peak_mb beyond the frame's own", whole, _twice(half)
            ),
            "peak_mb": round(whole.peak_mb - frame.peak_mb),
        },
    ]


def tick_to_point() -> list[dict[str, object]]:
    """Five ticks of a running daemon: until the window's readings can be read; and where the time went."""
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        with running(home / "target") as influx, system(home / "pipeline", influx) as pipeline, pipeline.started():
            wait_until("the first deliveries", lambda: influx.count("clean_series") > 0, 300, pause=1.0)
            ticks = [_tick(pipeline) for _ in range(5)]
    middle = sorted(ticks, key=lambda parts: parts["total"])[2]
    parts = ", ".join(f"{name} {seconds:.1f}" for name, seconds in middle.items() if name != "total")
    total = statistics.median(parts["total"] for parts in ticks)
    return [
        {
            "id": "tick_to_point",
            "what": f"tick to readable point, median of 5 / 20 s ({parts})",
            "ours": round(total, 2),
            "other": 20.0,
            "ratio": round(20.0 / total, 2),
            "unit": "s",
            "peak_mb": 0,
        }
    ]


def _tick(pipeline: System) -> dict[str, float]:
    """Seconds of each part, of the next tick of the minute. The points are dropped just before it."""
    influx = pipeline.influx
    now = time.time()
    tick = (now // 60 + 1) * 60 if now % 60 < 50 else (now // 60 + 2) * 60
    time.sleep(tick - 2 - now)
    influx.empty()
    minute = datetime.fromtimestamp(tick, UTC)
    window = minute.replace(minute=minute.minute // 15 * 15) - (1 + minute.minute % 4) * timedelta(minutes=15)
    query = (
        f"SELECT count(value) FROM clean_series WHERE time >= '{window:%Y-%m-%dT%H:%M:%SZ}' "  # noqa: S608
        f"AND time < '{window + timedelta(minutes=15):%Y-%m-%dT%H:%M:%SZ}'"
    )
    time.sleep(max(0.0, tick - time.time()))
    wait_until("the point", lambda: influx.query(query), 180, pause=0.05)
    readable = time.time()
    records = pipeline.instance.get_run_records(limit=20)
    live = next((r for r in records if r.dagster_run.tags.get("dagster/run_key") == minute.isoformat()), None)
    if live is None:  # an older delivery that was still under way brought the point; the next tick is asked
        return _tick(pipeline)
    sent = next(
        r
        for r in records
        if r.dagster_run.job_name == "delivery" and r.start_time and live.end_time and r.start_time > live.end_time - 60
    )
    marks = {
        "queued": live.create_timestamp.timestamp() - tick,
        "started": (live.start_time or 0) - live.create_timestamp.timestamp(),
        "chain": (live.end_time or 0) - (live.start_time or 0),
        "noticed": sent.create_timestamp.timestamp() - (live.end_time or 0),
        "delivery started": (sent.start_time or 0) - sent.create_timestamp.timestamp(),
        "written": readable - (sent.start_time or 0),
    }
    return {**marks, "total": readable - tick}


def _rows(count: int) -> pd.DataFrame:
    """Readings as the archive gives them: by point, and by time in each."""
    each = -(-count // POINTS)
    times = pd.date_range("2026-01-01", periods=each, freq="min", tz="UTC", unit="us")
    chance = np.random.default_rng(1)
    rows = pd.DataFrame(
        {
            "point_id": np.repeat(np.arange(POINTS) + 6000, each)[:count],
            "timestamp": np.tile(times, POINTS)[:count],
            "value": chance.normal(21, 2, count).round(2),
        }
    )
    return rows.assign(
        room=pd.Series(np.repeat([f"1.2{n % 6}" for n in range(POINTS)], each)[:count], dtype="str"),
        quantity=pd.Series(np.repeat([f"quantity_{n % 30}" for n in range(POINTS)], each)[:count], dtype="str"),
        quality=pd.Series(np.where(chance.random(count) < 0.98, "good", "rate"), dtype="str"),
    )


def _point(row: pd.Series) -> Point:
    return (
        Point("clean_series")
        .tag("site", "s")
        .tag("room", row["room"])
        .tag("quantity", row["quantity"])
        .tag("point_id", row["point_id"])
        .field("value", float(row["value"]))
        .field("quality", row["quality"])
        .time(row["timestamp"], WritePrecision.US)
    )


def _deliver(influx: InfluxTarget, rows: pd.DataFrame) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        Sender(InfluxConfig(influx.url, "esus", "esus", influx.token)) as sender,
    ):
        deliver_rows(Archive(Path(folder)), SITE, sender, SHAPE, [rows], Delivered())


def _row_by_row(influx: InfluxTarget, rows: pd.DataFrame) -> None:
    with InfluxDBClient(url=influx.url, token=influx.token, org="esus") as client, client.write_api() as api:
        for _, row in rows.iterrows():
            api.write(bucket="esus", record=_point(row))


def _bodies(folder: Path, rows: pd.DataFrame) -> list[Path]:
    """The very bodies that our sender makes, in files."""
    files = []
    for number, batch in enumerate(batches(encode(SHAPE, rows, Tally(), site=SITE.name), BATCH)):
        files.append(folder / f"body-{number}")
        files[-1].write_bytes(gzip.compress("\n".join(batch).encode(), compresslevel=1))
    return files


def _curl(influx: InfluxTarget, bodies: list[Path]) -> None:
    """One curl, one connection, all bodies one after the other."""
    url = f"{influx.url}/api/v2/write?org=esus&bucket=esus&precision=us"
    head = f'header = "Authorization: Token {influx.token}"\nheader = "Content-Encoding: gzip"\nfail\n'
    config = "next\n".join(f'{head}url = "{url}"\ndata-binary = "@{body}"\n' for body in bodies)
    subprocess.run(["curl", "--silent", "--show-error", "--config", "-"], input=config.encode(), check=True)


def _filling(influx: InfluxTarget, count: int, work: Callable[[], None], repeat: int = 3) -> Measured:
    """The fastest of some fillings of the empty database, each checked for its count."""
    measured = []
    for _ in range(repeat):
        influx.empty()
        measured.append(measure(work, repeat=1))
        assert influx.count("clean_series") == count
    return min(measured, key=lambda each: each.seconds)


def _scaled(few: Measured) -> Measured:
    return Measured(few.seconds * ROWS / ROW_BY_ROW, few.peak_mb)


def _twice(half: Measured) -> Measured:
    return Measured(2 * half.seconds, half.peak_mb)


def _row(id_: str, what: str, ours: Measured, other: Measured) -> dict[str, object]:
    return {
        "id": id_,
        "what": what,
        "ours": round(ours.seconds, 2),
        "other": round(other.seconds, 2),
        "ratio": round(other.seconds / ours.seconds, 2),
        "unit": "s",
        "peak_mb": round(ours.peak_mb),
    }
