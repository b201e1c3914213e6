"""Damaged files and full disks: noticed, named, never read as absence of data."""

import errno
import os
import resource
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from esus_pipeline.archive import Archive, CorruptDay, dayfile, files
from esus_pipeline.archive.dayfile import DamageError
from esus_pipeline.frames import RAW_BMS_READINGS as RAW
from esus_pipeline_tests.archive.rows import DAY, readings

NAME = "2026-06-21.parquet"


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    archive = Archive(tmp_path)
    archive.merge(RAW, readings([1, 2], DAY, 20))
    return archive


def day_file(archive: Archive) -> Path:
    return archive.root / RAW.name / NAME


def test_every_flipped_bit_is_noticed(archive):
    good = day_file(archive).read_bytes()
    dayfile.verify(good)
    for offset in range(len(good)):
        data = bytearray(good)
        data[offset] ^= 1 << offset % 8
        with pytest.raises(DamageError):
            dayfile.verify(bytes(data))


def test_every_cut_is_noticed_and_so_is_what_is_appended(archive):
    good = day_file(archive).read_bytes()
    for data in [good[:length] for length in range(len(good))] + [good + b"\0", good + good]:
        with pytest.raises(DamageError):
            dayfile.verify(data)


@pytest.mark.parametrize("part", ["head", "data", "footer", "tail"])
def test_a_damaged_day_is_set_aside_and_named_by_readers(archive, part):
    path = day_file(archive)
    data = bytearray(path.read_bytes())
    at = {"head": 1, "data": 60, "footer": data.rfind(b"sha256:") - 100, "tail": len(data) - 2}[part]
    data[at] ^= 4
    path.write_bytes(data)
    with pytest.raises(CorruptDay, match=r"2026-06-21-00:00\.\.\.2026-06-21-23:45") as caught:
        archive.read(RAW, point_id=[1])
    assert caught.value.windows == ("2026-06-21-00:00", "2026-06-21-23:45")
    assert archive.corrupt() == [Path(caught.value.aside)]
    assert archive.corrupt()[0].read_bytes() == data
    assert not path.exists()


def test_a_day_that_was_set_aside_is_not_read_as_empty_until_it_is_written_anew(archive):
    day_file(archive).write_bytes(b"")
    archive.merge(RAW, readings([1], DAY + timedelta(days=1), 2))
    for _ in range(2):
        with pytest.raises(CorruptDay, match="2026-06-21"):
            archive.read(RAW)
    assert len(archive.read(RAW, DAY + timedelta(days=1))) == 2
    assert archive.days(RAW) == [DAY.date(), (DAY + timedelta(days=1)).date()]
    assert archive.merge(RAW, readings([1], DAY, 5)).new == 5
    assert len(archive.read(RAW)) == 7
    assert len(archive.corrupt()) == 1
    assert len(pd.read_parquet(archive.root / RAW.name)) == 7


def test_a_writer_does_not_build_on_a_damaged_day(archive):
    day_file(archive).write_bytes(day_file(archive).read_bytes()[:-1])
    with pytest.raises(CorruptDay):
        archive.merge(RAW, readings([3], DAY, 1))
    assert archive.merge(RAW, readings([3], DAY, 1)).new == 1
    assert len(archive.corrupt()) == 1


def test_a_file_of_another_program_is_not_trusted(archive):
    readings([1], DAY, 3).to_parquet(day_file(archive))
    with pytest.raises(CorruptDay, match="did not write it"):
        archive.read(RAW)


def test_a_day_mended_in_the_meantime_is_read_and_not_set_aside(archive, monkeypatch):
    path, good = day_file(archive), day_file(archive).read_bytes()
    path.write_bytes(good[:-1])
    locked = files.locked

    def mended_first(target: Path) -> object:
        path.write_bytes(good)
        return locked(target)

    monkeypatch.setattr(files, "locked", mended_first)
    assert len(archive.read(RAW)) == 40
    assert archive.corrupt() == []


def test_a_write_that_meets_a_limit_leaves_the_old_file(archive):
    before = day_file(archive).read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))
    try:
        with pytest.raises(OSError, match="stands as it was") as caught:
            archive.merge(RAW, readings(list(range(50)), DAY, 100))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert caught.value.errno == errno.EFBIG
    assert day_file(archive).read_bytes() == before
    assert [path.name for path in day_file(archive).parent.iterdir() if path.is_file()] == [NAME]


@pytest.fixture
def small_disk(tmp_path: Path):
    mount, umount = shutil.which("mount"), shutil.which("umount")
    folder = tmp_path / "small"
    folder.mkdir()
    if not mount or not umount or os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    done = subprocess.run([mount, "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(folder)], check=False)
    if done.returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield folder
    subprocess.run([umount, str(folder)], check=True)


def test_a_full_disk_raises_keeps_the_old_file_and_recovers(small_disk):
    archive = Archive(small_disk)
    archive.merge(RAW, readings([1], DAY, 10))
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"x" * (shutil.disk_usage(small_disk).free - 4096))
    many = readings(list(range(100)), DAY, 100)
    with pytest.raises(OSError, match="stands as it was") as caught:
        archive.merge(RAW, many)
    assert caught.value.errno == errno.ENOSPC
    assert len(archive.read(RAW)) == 10
    ballast.unlink()
    archive.merge(RAW, many)
    assert len(archive.read(RAW)) == 10_000
