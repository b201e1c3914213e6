"""What every forecast source offers, and the ways in which asking one can fail.

Belongs here: the protocol, the plain data that a source hands over, the exceptions. Does not belong here: any one
source (see open_meteo, met_norway) and when to ask it (see obtain).
"""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Protocol, runtime_checkable

import pandas as pd

from esus_pipeline.site.model import Place


class ForecastError(Exception):
    """A source gave no forecast; the message says what to do."""


class RejectedForecastError(ForecastError):
    """A source answered, and the whole answer was refused.

    `reason` is one of: not_json, wrong_schema, wrong_unit, wrong_time_zone, stamps_not_increasing, missing_values,
    out_of_bounds, sun_at_night, too_much_sun, components_disagree, horizon_too_short, stale, issued_in_future.
    """

    def __init__(self, source: str, reason: str, detail: str) -> None:
        """Refuse an answer of `source`; `detail` names the value that is wrong."""
        super().__init__(f"{source}: forecast rejected ({reason}): {detail}")
        self.source = source
        self.reason = reason
        self.detail = detail


@dataclass(frozen=True)
class Forecast:
    """One answer of a source on the 15-minute grid.

    `rows` has the columns of frames.WEATHER_FORECAST from valid_time to cloud_cover, at least one row, stamped with
    interval starts, not yet judged. `received_at` is when this content first arrived; `stated_issue` is the source's
    own issue time.
    """

    source: str
    rows: pd.DataFrame
    received_at: pd.Timestamp
    stated_issue: pd.Timestamp | None = None


class Source(Protocol):
    """Someone who forecasts the weather of a place."""

    name: str

    @property
    def requests(self) -> int:
        """Requests sent upstream so far."""

    def forecast(self, place: Place, now: datetime) -> Forecast:
        """The newest forecast, from the cache where its rules allow. Raises ForecastError."""


@runtime_checkable
class PastSource(Source, Protocol):
    """A source that also answers for days gone by."""

    def past(self, place: Place, first: date, last: date, now: datetime) -> Forecast:
        """Weather of the UTC days first..last as the source tells it today. Raises ForecastError."""
