"""One day of one table as bytes: Parquet with a digest inside, so that a flipped bit anywhere is noticed.

Belongs here: the file format. Does not belong here: where files are and who may write them (see store and files).

Parquet's own page checksums leave the footer open, and a flip in its statistics makes readers skip rows in silence.
So the SHA-256 of the whole file, without the digest's own 64 characters, stands in the footer's key-value metadata.
Being inside, it is renamed, copied and backed up together with what it guards; other readers do not notice it.
"""

import hashlib
from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from esus_pipeline.frames import TIMESTAMP, Frame

_MARK = b"sha256:"
_DIGITS = 64
_ROW_GROUP = 8192
"""Rows decoded together: small enough that one point costs little, large enough that a whole day does too."""


class ArchiveError(Exception):
    """The archive cannot do what was asked; the message says what to do."""


class DamageError(ValueError):
    """Bytes that are not what was written."""


class CorruptDay(ArchiveError):  # noqa: N818  # it names what was found
    """A stored day cannot be trusted and was set aside. `windows` is its partition range, first and last key."""

    def __init__(self, table: str, day: str, aside: str, reason: str) -> None:
        """Say which day of which table it is, where the damaged file is now, and how to get the day back."""
        self.table, self.day, self.aside = table, day, aside
        self.windows = (f"{day}-00:00", f"{day}-23:45")
        super().__init__(
            f"{table} of {day} is corrupt ({reason}); the file is set aside as {aside}. "
            f"Materialise the windows {self.windows[0]}...{self.windows[1]} of what writes it again, "
            f"then delete the file that was set aside"
        )


def encode(table: pa.Table, key: Sequence[str]) -> bytes:
    """The table, sorted by `key`, as the bytes of a day file. Equal rows give equal bytes."""
    rows = table.replace_schema_metadata(None)
    times = [field.name for field in rows.schema if field.type == TIMESTAMP]
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        rows.schema,
        compression="zstd",
        use_dictionary=[name for name in rows.column_names if name not in times],
        column_encoding=dict.fromkeys(times, "DELTA_BINARY_PACKED"),
    ) as writer:
        order = pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in key])
        writer.write_table(rows.take(order), row_group_size=_ROW_GROUP)
        writer.add_key_value_metadata({"digest": _MARK.decode() + "0" * _DIGITS})
    data = bytearray(sink.getvalue())
    start, end = _digits(data)
    data[start:end] = _digest(data)
    return bytes(data)


def verify(data: bytes) -> None:
    """Raise DamageError unless these are exactly the bytes that `encode` made."""
    if not data:
        raise DamageError("the file is empty")
    start, end = _digits(data)
    if data[start:end] != _digest(data):
        raise DamageError("its digest does not match its content")


def decode(
    data: bytes, frame: Frame, columns: Sequence[str] | None = None, where: pc.Expression | None = None
) -> pa.Table:
    """Rows of verified bytes for which `where` holds; only `columns`, or all that the file has.

    Columns of the table that the file does not have are null, as when a site gained a quantity since.
    """
    stored = pq.read_schema(pa.BufferReader(data))
    names = frame.schema.names
    wanted = list(columns) if columns is not None else names + [name for name in stored.names if name not in names]
    present = [name for name in wanted if name in stored.names]
    table = pq.read_table(pa.BufferReader(data), columns=present, filters=where, use_threads=False)
    found: dict[str, pa.ChunkedArray | pa.Array] = {}
    for name in wanted:
        kind = (frame.schema if name in names else stored).field(name).type
        found[name] = table[name].cast(kind) if name in present else pa.nulls(table.num_rows, kind)
    return pa.table(found)


def _digits(data: bytes | bytearray) -> tuple[int, int]:
    mark = data.rfind(_MARK)
    if mark < 0 or mark + len(_MARK) + _DIGITS > len(data):
        raise DamageError("it has no digest; it is cut off, or this program did not write it")
    return mark + len(_MARK), mark + len(_MARK) + _DIGITS


def _digest(data: bytes | bytearray) -> bytes:
    start, end = _digits(data)
    view = memoryview(data)
    digest = hashlib.sha256(view[:start])
    digest.update(view[end:])
    return digest.hexdigest().encode()
