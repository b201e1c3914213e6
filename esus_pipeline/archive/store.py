"""The archive: `root/<table>/<UTC day>.parquet`, read by anyone with pandas or DuckDB, written only here.

Promises: a write is whole or did not happen; two writers lose nothing; a reader never waits and never sees half a
file; damage is noticed, set aside and named, never read as absence of data; nothing changed means nothing written.
A write that spans several days is whole for each day, not for all of them: repeat it after a crash.

After damage the file stands aside (`Archive.corrupt` lists it) and reading that day keeps raising CorruptDay until
something is written to it; a write starts the day anew, so that a live poll goes on.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from esus_pipeline.archive import dayfile, files
from esus_pipeline.archive.changes import Merge, difference
from esus_pipeline.archive.dayfile import CorruptDay, DamageError
from esus_pipeline.frames import TIMESTAMP, Frame

_DAY_FILE = re.compile(r"(\d{4}-\d{2}-\d{2})\.(?:parquet|corrupt-\w+)")
_DAY = timedelta(days=1)


class Archive:
    """Tables below one folder. Any number of processes may read and write it at once."""

    def __init__(self, root: Path) -> None:
        """`root` need not exist yet."""
        self.root = root

    def days(self, frame: Frame, start: datetime | None = None, end: datetime | None = None) -> list[date]:
        """UTC days that touch [start, end) and have a file, be it one that was set aside; ascending."""
        folder = self.root / frame.name
        paths = [*folder.glob("*.parquet"), *(folder / files.ASIDE).glob("*")]
        matches = [_DAY_FILE.fullmatch(path.name) for path in paths]
        found = sorted({date.fromisoformat(match[1]) for match in matches if match})
        first, last = _utc(start), _utc(end)
        return [
            day for day in found if (first is None or day >= first.date()) and (last is None or _midnight(day) < last)
        ]

    def read(
        self,
        frame: Frame,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        columns: Sequence[str] | None = None,
        **only: Collection[Any],
    ) -> pd.DataFrame:
        """Rows with start <= time < end, days ascending and in key order within each.

        `only` names columns and the values wanted of them, as in `point_id=[6023]`; what is not wanted is hardly
        decoded. `columns` picks columns. Raises CorruptDay.
        """
        parts = [part for _, part in self._tables(frame, start, end, columns, only)]
        names = frame.schema.names if columns is None else list(columns)
        schema = pa.schema([pa.field(name, frame.schema.field(name).type) for name in names])
        return pa.concat_tables([schema.empty_table(), *parts]).to_pandas()

    def read_days(
        self,
        frame: Frame,
        start: datetime | None = None,
        end: datetime | None = None,
        *,
        columns: Sequence[str] | None = None,
        **only: Collection[Any],
    ) -> Iterator[tuple[date, pd.DataFrame]]:
        """The same day by day, so that any range fits into memory; days without a file are passed over."""
        for day, table in self._tables(frame, start, end, columns, only):
            yield day, table.to_pandas()

    def merge(self, frame: Frame, df: pd.DataFrame, compare: Sequence[str] | None = None) -> Merge:
        """Insert rows, and update those whose key is stored with other values; within `df` the last one counts.

        `compare` names the columns that decide whether a stored row changed; none means all. A row that did not
        change stays as it is in every column, so `compare=["value"]` keeps the first `received_at`, and `[]` keeps
        the first row of a key whatever comes later.
        """
        rows = frame.conform(df)
        last = rows.drop_duplicates(list(frame.key), keep="last")
        merges = [self._merge_day(frame, day, part, compare) for day, part in _by_day(frame, last)]
        return Merge(
            new=sum(merge.new for merge in merges),
            updated=sum(merge.updated for merge in merges),
            same=sum(merge.same for merge in merges),
            repeated=len(rows) - len(last),
            changed=pd.concat([frame.empty(), *[merge.changed for merge in merges]], ignore_index=True),
            superseded=pd.concat([frame.empty(), *[merge.superseded for merge in merges]], ignore_index=True),
        )

    def replace(self, frame: Frame, df: pd.DataFrame, start: datetime, end: datetime) -> int:
        """Make `df` all there is with start <= time < end; returns how many rows came, changed or went.

        ValueError where a row of `df` lies outside, or two have the same key.
        """
        rows = frame.conform(df)
        first, last = _required(start), _required(end)
        if not ((rows[frame.time] >= first) & (rows[frame.time] < last)).all():
            raise ValueError(f"{frame.name}: rows outside {first.isoformat()} to {last.isoformat()} cannot replace it")
        if rows.duplicated(list(frame.key)).any():
            raise ValueError(f"{frame.name}: two rows with the same {', '.join(frame.key)}")
        parts = dict(_by_day(frame, rows))
        days = sorted({*parts, *self.days(frame, first, last)})
        return sum(self._replace_day(frame, day, parts.get(day, rows[:0]), first, last) for day in days)

    def corrupt(self) -> list[Path]:
        """Files that were set aside because they were damaged. Delete them when their day is whole again."""
        return sorted(self.root.glob(f"*/{files.ASIDE}/*"))

    def _path(self, frame: Frame, day: date) -> Path:
        return self.root / frame.name / f"{day.isoformat()}.parquet"

    def _merge_day(self, frame: Frame, day: date, rows: pd.DataFrame, compare: Sequence[str] | None) -> Merge:
        path = self._path(frame, day)
        with files.locked(path):
            stored = self._stored(frame, path)
            old = stored.select(frame.schema.names).to_pandas()
            diff = difference(frame, old, rows, compare)
            changed = rows[diff.new | diff.updated]
            if len(changed):
                _write(frame, path, stored.filter(pa.array(~diff.superseded)), changed)
        new, updated = int(diff.new.sum()), int(diff.updated.sum())
        return Merge(new, updated, len(rows) - new - updated, 0, changed, old[diff.superseded])

    def _replace_day(self, frame: Frame, day: date, rows: pd.DataFrame, start: datetime, end: datetime) -> int:
        path = self._path(frame, day)
        with files.locked(path):
            stored = self._stored(frame, path)
            old = stored.select(frame.schema.names).to_pandas()
            diff = difference(frame, old, rows, None)
            inside = ((old[frame.time] >= start) & (old[frame.time] < end)).to_numpy(dtype=bool)
            gone = diff.absent & inside
            changed = rows[diff.new | diff.updated]
            if len(changed) or gone.any():
                _write(frame, path, stored.filter(pa.array(~(gone | diff.superseded))), changed)
        return len(changed) + int(np.count_nonzero(gone))

    def _stored(self, frame: Frame, path: Path) -> pa.Table:
        """All rows of a day for its writer, who holds the lock. Starts anew where the file was set aside before."""
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return _nullable(frame.schema).empty_table()
        try:
            dayfile.verify(data)
        except DamageError as damage:
            raise self._set_aside(frame, path, damage) from None
        return dayfile.decode(data, frame)

    def _trusted(self, frame: Frame, path: Path) -> bytes | None:
        """Verified bytes of a day for a reader, who waits for nobody; None where the day has no file."""
        try:
            data = path.read_bytes()
            dayfile.verify(data)
        except FileNotFoundError:
            aside = sorted((path.parent / files.ASIDE).glob(f"{path.stem}.*"))
            if aside:
                raise CorruptDay(frame.name, path.stem, str(aside[-1]), "found earlier") from None
            return None
        except DamageError:
            with files.locked(path):
                self._stored(frame, path)
            return self._trusted(frame, path)
        return data

    def _set_aside(self, frame: Frame, path: Path, damage: DamageError) -> CorruptDay:
        return CorruptDay(frame.name, path.stem, str(files.set_aside(path)), str(damage))

    def _tables(
        self,
        frame: Frame,
        start: datetime | None,
        end: datetime | None,
        columns: Sequence[str] | None,
        only: dict[str, Collection[Any]],
    ) -> Iterator[tuple[date, pa.Table]]:
        names = frame.schema.names if columns is None else list(columns)
        unknown = sorted({*names, *only} - set(frame.schema.names))
        if unknown:
            raise ValueError(f"{frame.name} has no columns {unknown}; it has {frame.schema.names}")
        for day in self.days(frame, start, end):
            data = self._trusted(frame, self._path(frame, day))
            if data is not None:
                where = _where(frame, day, _utc(start), _utc(end), only)
                yield day, dayfile.decode(data, frame, names, where)


def _write(frame: Frame, path: Path, kept: pa.Table, changed: pd.DataFrame) -> None:
    """Write the rows with the description of each column that the table has one for; nulls are allowed in all."""
    fresh = pa.Table.from_pandas(changed, schema=_nullable(frame.schema), preserve_index=False)
    rows = pa.concat_tables([kept, fresh], promote_options="default")
    known = set(frame.schema.names)
    described = [frame.schema.field(name) if name in known else rows.field(name) for name in rows.column_names]
    files.write(path, dayfile.encode(rows.cast(_nullable(described)), frame.key))


def _nullable(fields: Iterable[pa.Field]) -> pa.Schema:
    return pa.schema([field.with_nullable(True) for field in fields])


def _by_day(frame: Frame, rows: pd.DataFrame) -> list[tuple[date, pd.DataFrame]]:
    return [(midnight.date(), part) for midnight, part in rows.groupby(rows[frame.time].dt.floor("D"))]


def _where(
    frame: Frame, day: date, start: datetime | None, end: datetime | None, only: dict[str, Collection[Any]]
) -> pc.Expression | None:
    terms = [
        pc.field(name).isin(pa.array(list(values), frame.schema.field(name).type)) for name, values in only.items()
    ]
    if start is not None and start > _midnight(day):
        terms.append(pc.field(frame.time) >= pa.scalar(start, TIMESTAMP))
    if end is not None and end < _midnight(day) + _DAY:
        terms.append(pc.field(frame.time) < pa.scalar(end, TIMESTAMP))
    where = None
    for term in terms:
        where = term if where is None else where & term
    return where


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _utc(instant: datetime | None) -> datetime | None:
    return None if instant is None else _required(instant)


def _required(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError(f"{instant} has no zone; the archive's times are UTC")
    return instant.astimezone(UTC)
