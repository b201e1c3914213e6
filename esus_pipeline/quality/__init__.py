"""Whom to believe: every point's rhythm, its state in every window, the ledger of gaps. Pure functions on frames."""

from esus_pipeline.quality.bounds import Bounds, bounds, silent_by_nature
from esus_pipeline.quality.context import in_force, versions
from esus_pipeline.quality.gaps import gaps, ledger
from esus_pipeline.quality.heard import Heard
from esus_pipeline.quality.judgement import Walk
from esus_pipeline.quality.states import FINAL, STATE_CODES, State, controllers, judge, watermarks

__all__ = [
    "FINAL",
    "STATE_CODES",
    "Bounds",
    "Heard",
    "State",
    "Walk",
    "bounds",
    "controllers",
    "gaps",
    "in_force",
    "judge",
    "ledger",
    "silent_by_nature",
    "versions",
    "watermarks",
]
"""`Walk` goes from the archive to states and ledger day by day; the others are its parts."""
