"""Files that several processes share: one writer at a time, and readers who see the old file or the new one.

Belongs here: locks, atomic replacement, renaming. Does not belong here: what the bytes mean. For local disks (flock).
"""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

ASIDE = "_corrupt"
"""Folder for damaged files beside the good ones; Parquet readers pass over names that start with an underscore."""


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Be the only writer of the file `path`; waits for the one before. The kernel frees a dead writer's lock.

    What a dead writer left half written is deleted on the way in. The lock is an empty file that stays: deleting
    it would let two writers hold two locks.
    """
    lock = path.parent / ".lock" / path.stem
    if not lock.parent.is_dir():
        lock.parent.mkdir(parents=True, exist_ok=True)
        _sync_folder(path.parent.parent)
    with lock.open("a") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        _temporary(path).unlink(missing_ok=True)
        yield


def write(path: Path, data: bytes) -> None:
    """Make `data` the content of `path`, durably and all at once; hold the lock. OSError where it cannot be done."""
    temporary = _temporary(path)
    try:
        with temporary.open("wb") as handle:
            handle.write(data)
            handle.flush()
            os.fsync(handle.fileno())
        temporary.replace(path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise OSError(error.errno, f"{error.strerror}; the file stands as it was before", str(path)) from error
    _sync_folder(path.parent)


def set_aside(path: Path) -> Path:
    """Rename a damaged file so that nobody takes it for data; hold the lock."""
    aside = path.parent / ASIDE / f"{path.stem}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
    aside.parent.mkdir(exist_ok=True)
    path.rename(aside)
    _sync_folder(aside.parent)
    _sync_folder(path.parent)
    return aside


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.tmp")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
