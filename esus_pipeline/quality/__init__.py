"""Whom to believe: every point's rhythm, its state in every window, the ledger of gaps. Pure functions on frames."""

from esus_pipeline.quality.bounds import Bounds, bounds, controllers
from esus_pipeline.quality.context import MEMORY, new_versions, versions
from esus_pipeline.quality.gaps import gaps, ledger
from esus_pipeline.quality.heard import Heard
from esus_pipeline.quality.judgement import REVISED, Walk
from esus_pipeline.quality.lateness import Arrived, learn_lateness
from esus_pipeline.quality.progress import Progress, away, progress
from esus_pipeline.quality.rhythm import TRAINING, learn
from esus_pipeline.quality.states import (
    FINAL,
    STATE_CODES,
    SURE,
    State,
    judge,
)
from esus_pipeline.quality.suspects import suspects

__all__ = [
    "FINAL",
    "MEMORY",
    "REVISED",
    "STATE_CODES",
    "SURE",
    "TRAINING",
    "Arrived",
    "Bounds",
    "Heard",
    "Progress",
    "State",
    "Walk",
    "away",
    "bounds",
    "controllers",
    "gaps",
    "judge",
    "learn",
    "learn_lateness",
    "ledger",
    "new_versions",
    "progress",
    "suspects",
    "versions",
]
"""`Walk` goes from the archive to states and ledger day by day; the others are its parts."""
