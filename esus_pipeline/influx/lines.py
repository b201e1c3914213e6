"""Data frames -> lines of InfluxDB's line protocol, series by series.

Belongs here: the text of a point. Does not belong here: which points (see measurements) and sending them.

The escaping was tried against the real parser with every string of up to three of backslash, comma, equals, space,
quote, newline and letters: string fields come back exactly, line breaks included. A tag value cannot hold a line break
and cannot end in a backslash; such rows are not sent, and told as unencodable.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

PRECISION = "us"
"""Unit of the time stamps: that of the archive."""

CHUNK = 10_000
"""Rows of a series that are text at once."""

_IN_NAME = str.maketrans({",": r"\,", " ": r"\ "})
_IN_KEY = str.maketrans({",": r"\,", " ": r"\ ", "=": r"\="})
_IN_TEXT = str.maketrans({"\\": r"\\", '"': r"\""})


@dataclass(frozen=True)
class Shape:
    """How rows of a frame become points: its columns by their role. Every number is a float field."""

    measurement: str
    time: str
    tags: tuple[str, ...]
    numbers: tuple[str, ...]
    texts: tuple[str, ...] = ()


@dataclass
class Tally:
    """What became of the rows; filled while lines are taken."""

    lines: int = 0
    empty: int = 0
    """Rows without any field."""
    not_finite: int = 0
    """Infinite numbers, left out of their rows."""
    unencodable: list[str] = field(default_factory=list)
    """Rows, as text, with a tag that line protocol cannot hold."""


def encode(shape: Shape, rows: pd.DataFrame, tally: Tally, **same: str) -> Iterator[str]:
    """Lines of the rows, each series together in the order of the rows; `same` are tags that all rows share.

    Missing numbers and texts are absent fields, missing tags absent tags.
    """
    if rows.empty:
        return
    groups = rows.groupby(list(shape.tags), sort=False, dropna=False) if shape.tags else [((), rows)]
    for values, series in groups:
        tags = dict(zip(shape.tags, values, strict=True))
        head = _head(shape.measurement, {**same, **tags})
        if head is None:
            tally.unencodable += [str(row) for row in series.to_dict("records")]
            continue
        for first in range(0, len(series), CHUNK):
            lines = _lines(head, shape, series.iloc[first : first + CHUNK], tally)
            tally.lines += len(lines)
            yield from lines


def batches(lines: Iterable[str], size: int) -> Iterator[list[str]]:
    """The lines in lists of at most `size`."""
    batch: list[str] = []
    for line in lines:
        batch.append(line)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _head(measurement: str, tags: Mapping[str, Any]) -> str | None:
    """Measurement and tags, sorted by their keys as InfluxDB stores them; None where a value cannot be written."""
    parts = [measurement.translate(_IN_NAME)]
    for key in sorted(tags):
        value = str(tags[key]) if pd.notna(tags[key]) else ""
        if "\n" in value or value.endswith("\\"):
            return None
        if value:
            parts.append(f"{key.translate(_IN_KEY)}={value.translate(_IN_KEY)}")
    return ",".join(parts)


def _lines(head: str, shape: Shape, series: pd.DataFrame, tally: Tally) -> list[str]:
    times = series[shape.time].astype("datetime64[us, UTC]").astype("int64").tolist()
    fields = _fields(shape, series, tally)
    lines = [f"{head} {field_set} {time}" for field_set, time in zip(fields, times, strict=True) if field_set]
    tally.empty += len(series) - len(lines)
    return lines


def _fields(shape: Shape, series: pd.DataFrame, tally: Tally) -> list[str]:
    """The field set of each row; empty where it has none."""
    columns = [_numbers(name, series[name], tally) for name in shape.numbers]
    columns += [_texts(name, series[name]) for name in shape.texts]
    if len(columns) == 1:
        return columns[0]
    if all(all(column) for column in columns):
        return [",".join(parts) for parts in zip(*columns, strict=True)]
    return [",".join(filter(None, parts)) for parts in zip(*columns, strict=True)]


def _numbers(name: str, column: pd.Series, tally: Tally) -> list[str]:
    key = name.translate(_IN_KEY)
    values = column.to_numpy(dtype=float, na_value=np.nan)
    finite = np.isfinite(values)
    if finite.all():
        return [f"{key}={value!r}" for value in values.tolist()]
    tally.not_finite += int(np.isinf(values).sum())
    return [f"{key}={value!r}" if good else "" for value, good in zip(values.tolist(), finite.tolist(), strict=True)]


def _texts(name: str, column: pd.Series) -> list[str]:
    """Few texts occur often: each is escaped once."""
    key = name.translate(_IN_KEY)
    texts = column.astype(object).where(column.notna(), None).tolist()
    field_of = {text: "" if text is None else f'{key}="{text.translate(_IN_TEXT)}"' for text in set(texts)}
    return [field_of[text] for text in texts]
