"""Real processes against one archive: writers side by side, readers beside them, and kill -9 at any moment."""

import multiprocessing
import random
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

import pandas as pd
import pytest

from esus_pipeline.archive import Archive
from esus_pipeline.frames import RAW_BMS_READINGS as RAW
from esus_pipeline_tests.archive import writers
from esus_pipeline_tests.archive.rows import DAY, readings

PROCESSES = multiprocessing.get_context("forkserver")
PROCESSES.set_forkserver_preload(["esus_pipeline_tests.archive.writers"])


def start(target: Callable[..., None], *args: object) -> BaseProcess:
    process = PROCESSES.Process(target=target, args=args, daemon=True)
    process.start()
    return process


def test_two_writers_of_one_day_lose_nothing(tmp_path):
    processes = [start(writers.write_batches, tmp_path, point, 40) for point in (1, 2, 3)]
    for writer in processes:
        writer.join(60)
        assert writer.exitcode == 0
    assert Archive(tmp_path).read(RAW).groupby("point_id").size().to_dict() == {1: 120, 2: 120, 3: 120}


def test_a_reader_sees_the_old_day_or_the_new_one(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1, 2], DAY, 200).assign(value=0.0))
    writer = start(writers.rewrite, tmp_path, 2)
    levels = []
    while writer.is_alive():
        values = archive.read(RAW).value
        assert len(values) == 400
        assert values.nunique() == 1
        levels.append(values[0])
    assert writer.exitcode == 0
    assert levels == sorted(levels)
    assert len(set(levels)) > 3


def test_readers_do_not_wait_for_a_writer_and_the_next_writer_does_not_wait_for_a_dead_one(tmp_path):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1], DAY, 3))
    receiver, sender = PROCESSES.Pipe(duplex=False)
    holder = start(writers.hold_lock, tmp_path, sender)
    assert receiver.recv() == "locked"
    assert len(archive.read(RAW)) == 3
    blocked = start(writers.write_batches, tmp_path, 2, 1)
    blocked.join(0.3)
    assert blocked.is_alive()
    holder.kill()
    blocked.join(60)
    assert blocked.exitcode == 0
    assert len(archive.read(RAW)) == 6


def received(receiver: Connection) -> set[int]:
    """Everything that was sent before the sender died."""
    got: set[int] = set()
    with suppress(EOFError):
        while True:
            got.add(receiver.recv())
    return got


def test_killing_a_writer_at_any_moment_loses_nothing_it_acknowledged(tmp_path):
    chance = random.Random(20260621)  # noqa: S311
    acknowledged: set[int] = set()
    for _ in range(20):
        receiver, sender = PROCESSES.Pipe(duplex=False)
        first = max(acknowledged, default=-1) + 1
        writer = start(writers.write_and_acknowledge, tmp_path, first, sender)
        sender.close()
        assert receiver.poll(60), "the writer does not write"
        time.sleep(chance.uniform(0, 0.1))
        writer.kill()
        writer.join(60)
        acknowledged |= received(receiver)
        stored = Archive(tmp_path).read(RAW).groupby("point_id").size()
        assert (stored == 3).all(), "half a write"
        assert acknowledged <= set(stored.index) <= acknowledged | {max(acknowledged, default=-1) + 1}
    assert len(acknowledged) >= 20
    assert Archive(tmp_path).corrupt() == []


@pytest.mark.parametrize(
    ("moment", "call", "stored"),
    [
        ("fsync", 1, 3),  # written, not yet durable
        ("replace", 1, 3),  # durable, not yet the day's file
        ("fsync", 2, 6),  # renamed, the folder not yet durable
    ],
)
def test_a_writer_that_dies_at_a_named_moment_leaves_no_half_file_and_no_litter(tmp_path, moment, call, stored):
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1], DAY, 3))
    before = archive.read(RAW)
    writer = start(writers.die_at, tmp_path, moment, call)
    writer.join(60)
    assert writer.exitcode == -signal.SIGKILL
    assert len(archive.read(RAW)) == stored
    pd.testing.assert_frame_equal(archive.read(RAW, point_id=[1]), before)
    assert archive.merge(RAW, readings([1, 2], DAY, 3)).new == 6 - stored
    assert len(archive.read(RAW)) == 6
    assert [path.name for path in (tmp_path / RAW.name).iterdir() if path.is_file()] == ["2026-06-21.parquet"]
