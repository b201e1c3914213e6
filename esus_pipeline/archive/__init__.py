"""Tables on disk: one Parquet file per table and UTC day. `Archive` reads, merges and replaces rows."""

from esus_pipeline.archive.changes import Merge
from esus_pipeline.archive.dayfile import ArchiveError, CorruptDay
from esus_pipeline.archive.store import Archive

__all__ = ["Archive", "ArchiveError", "CorruptDay", "Merge"]
