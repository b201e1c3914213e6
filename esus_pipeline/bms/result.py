"""What one reading of many points gives: the shape of the outcome. How it comes about stands in `poll`."""

from dataclasses import dataclass

import pandas as pd


@dataclass(frozen=True)
class Poll:
    """What one `read` gave. Counts are of this read alone."""

    readings: pd.DataFrame
    """frames.RAW_BMS_READINGS, [start, end), sorted by point and time, one row per point and time."""
    rejected: pd.DataFrame
    """frames.QUARANTINE, source `bms`; see parse.REASONS."""
    failed: dict[int, str]
    """Points that could not be read, and why."""
    unanswered: tuple[int, ...]
    """Points that were read and have no reading in the interval; none of them is in `failed`."""
    requests: int
    retries: int
    """Requests that repeated an earlier one; parts of a split request are not counted."""
    seconds: float
    bytes_read: int
    """Bytes of bodies as they came over the network, before decompression."""
    duplicates: int
    """Records that repeated another one exactly."""
    at_end: int
    """Records exactly at `end`, which the server includes; they belong to the next interval."""
    clock_skew_s: float | None
    """The server's clock minus ours as last seen, to about 1 s; None if it never said."""
