"""From readings as the building gave them to clean series and the 15-minute room table. Pure functions on frames."""

from esus_pipeline.readings.clean import clean
from esus_pipeline.readings.context import Read, in_force, slow_points, tables, with_context
from esus_pipeline.readings.quality import Quality
from esus_pipeline.readings.repair import reach, unclean
from esus_pipeline.readings.rooms import room_frame, room_table, speak
from esus_pipeline.readings.sources import room_sources

__all__ = [
    "Quality",
    "Read",
    "clean",
    "in_force",
    "reach",
    "room_frame",
    "room_sources",
    "room_table",
    "slow_points",
    "speak",
    "tables",
    "unclean",
    "with_context",
]
"""`tables` is the whole way from the archive to all tables of a window; the others are its parts."""
