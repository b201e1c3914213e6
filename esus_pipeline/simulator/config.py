"""What one simulator serves. Belongs here: the settings alone."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

REALISTIC_POINT_S = 0.45
"""Seconds that the real server was measured to take for one point and request."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class SimulatorConfig:
    """Settings of one simulator. Equal settings and an equal clock give equal answers in every process."""

    site: str = "tmv23"
    """A built-in site or a site folder; one without a twin needs `replay`."""
    seed: int = 1
    request_s: float = 0.02
    """Seconds that every request takes."""
    point_s: float = 0.002
    """Seconds that every point of a trenddata request adds."""
    username: str | None = None
    """Name for basic authentication of the BMS API; none serves without it."""
    password: str = field(default="", repr=False)
    max_ids: int = 100
    """A trenddata request for more ids is refused with 414."""
    stamps: Literal["local", "offset", "utc"] = "local"
    """Time stamps as naive local time, local time with its offset, or naive UTC."""
    replay: Path | None = None
    """Parquet or CSV with external_log_id, timestamp, value: served instead of the twin's readings."""
    replay_mode: Literal["shift", "own"] = "shift"
    """`shift`: moved by whole weeks so that they reach the present; `own`: at their own time."""
    faults: tuple[str, ...] = ()
    """Faults that are on from the start."""
    forecasts_per_minute: int = 600
    """More requests to the forecast API in a minute are refused with 429."""
    now: Callable[[], datetime] = field(default=_wall_clock, repr=False)
    """The clock; tests put their own here."""
