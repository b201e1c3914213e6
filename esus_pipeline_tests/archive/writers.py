"""What the processes of the archive's tests do; apart from the tests, so that a process starts quickly."""

import os
import signal
import time
from datetime import timedelta
from multiprocessing.connection import Connection
from pathlib import Path

from esus_pipeline.archive import Archive, files
from esus_pipeline.frames import RAW_BMS_READINGS as RAW
from esus_pipeline_tests.archive.rows import DAY, readings


def write_batches(root: Path, point: int, batches: int) -> None:
    for batch in range(batches):
        Archive(root).merge(RAW, readings([point], DAY + timedelta(minutes=15 * batch), 3))


def rewrite(root: Path, seconds: float) -> None:
    level, until = 0.0, time.monotonic() + seconds
    while time.monotonic() < until:
        level += 1
        df = readings([1, 2], DAY, 200).assign(value=level)
        Archive(root).replace(RAW, df, DAY, DAY + timedelta(days=1))


def hold_lock(root: Path, ready: Connection) -> None:
    with files.locked(root / RAW.name / "2026-06-21.parquet"):
        ready.send("locked")
        time.sleep(60)


def write_and_acknowledge(root: Path, first: int, acknowledge: Connection) -> None:
    for batch in range(first, 10_000):
        Archive(root).merge(RAW, readings([batch], DAY, 3))
        acknowledge.send(batch)


def die_at(root: Path, name: str, call: int) -> None:
    owner = {"fsync": os, "replace": Path}[name]
    real, calls = getattr(owner, name), [0]

    def dying(*args: object, **kwargs: object) -> object:
        calls[0] += 1
        if calls[0] == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)

    setattr(owner, name, dying)
    Archive(root).merge(RAW, readings([2], DAY, 3))
