"""Obtaining forecasts for windows: live ones from the sources in turn, past ones from what was known or a hindcast.

Belongs here: when to ask whom, and cutting answers into issues. Does not belong here: asking (see http), reading (see
open_meteo, met_norway) and choosing among stored issues (see known).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from esus_pipeline.frames import QUARANTINE, STEP, WEATHER_FORECAST
from esus_pipeline.site.model import Place, Site
from esus_pipeline.weather.known import MAX_AGE, is_current, known_at
from esus_pipeline.weather.source import Forecast, ForecastError, PastSource, RejectedForecastError, Source
from esus_pipeline.weather.validate import judged

LIVE = timedelta(hours=1)
"""A window that ended within this is answered with what the sources say now, as if it had been asked at its end."""

REISSUE = timedelta(hours=3)
"""An unchanged forecast that the source still stands by becomes a new issue after this; before, nothing is stored."""

HORIZON = timedelta(hours=60)
"""How far an issue reaches; a source that ends earlier ends it."""

MIN_HORIZON = timedelta(hours=42)
"""The plan's 36 hours, still there when the issue is MAX_AGE old."""

HISTORY = timedelta(hours=1)
"""How far before its issue a forecast begins, so that it can be compared with the facade sensors."""

DAYS_PER_REQUEST = 29
"""Days that one hindcast request serves; the last of them reaches into the two days that follow."""

_VALUES = ["ghi", "dni", "dhi", "temp_air", "wind_speed", "wind_gust", "cloud_cover"]


@dataclass(frozen=True)
class Obtained:
    """What `obtain` found.

    `rows` (frames.WEATHER_FORECAST) are new issues to store, none where the known ones stand; `rejected`
    (frames.QUARANTINE) are refused answers. `issued_at`, `kind`, `source` and `age_seconds` are of the issue that the
    newest window may use once `rows` are stored, None where nothing is known; `current` says whether it is young
    enough to steer by. `requests` went upstream; `notes` are for the operator.
    """

    rows: pd.DataFrame
    rejected: pd.DataFrame
    issued_at: pd.Timestamp | None
    kind: str | None
    source: str | None
    age_seconds: float | None
    current: bool
    requests: int
    notes: tuple[str, ...]


class _Failures:
    """What went wrong on the way, for the operator and for the quarantine."""

    def __init__(self, now: datetime) -> None:
        self.notes: list[str] = []
        self._now = now
        self._rejected: list[dict[str, Any]] = []

    def add(self, error: ForecastError) -> None:
        self.notes.append(str(error))
        if isinstance(error, RejectedForecastError):
            self._rejected.append(
                {
                    "received_at": self._now,
                    "source": error.source,
                    "reason": error.reason,
                    "point_id": None,
                    "record": error.detail[:2000],
                }
            )

    def rejected(self) -> pd.DataFrame:
        return QUARANTINE.conform(pd.DataFrame(self._rejected)) if self._rejected else QUARANTINE.empty()


def obtain(
    site: Site, sources: Sequence[Source], known: pd.DataFrame, as_of: Sequence[datetime], now: datetime
) -> Obtained:
    """Forecasts for windows that end at the instants `as_of` (one or a whole range; UTC), asking as little as possible.

    `known` are stored rows of frames.WEATHER_FORECAST with issued_at in [first as_of - known.LOOK_BACK, last as_of].
    A window that ended within LIVE gets the newest answer of the first source that has a good one. An older one gets
    what was known then; where nothing was, its UTC day gets a hindcast, issued at 00:00. Where every source fails, the
    last good issue stands, with its age. No failure of a source raises.
    """
    times = pd.DatetimeIndex(pd.to_datetime(list(as_of), utc=True)).as_unit("us").sort_values().unique()
    asked = [source.requests for source in sources]
    failures = _Failures(now)
    live = times[times >= pd.Timestamp(now) - LIVE]
    found = _hindcasts(site.place, sources, known, times.difference(live), now, failures)
    if len(live):
        found += _live(site.place, sources, _together(known, found), live, now, failures)
    issue = known_at(_together(known, found), times[-1])
    stands = None if issue.empty else issue.iloc[0]
    return Obtained(
        rows=_together(WEATHER_FORECAST.empty(), found),
        rejected=failures.rejected(),
        issued_at=None if stands is None else stands["issued_at"],
        kind=None if stands is None else stands["kind"],
        source=None if stands is None else stands["source"],
        age_seconds=None if stands is None else (times[-1] - stands["issued_at"]).total_seconds(),
        current=is_current(issue, times[-1]),
        requests=sum(source.requests for source in sources) - sum(asked),
        notes=tuple(failures.notes),
    )


def _together(known: pd.DataFrame, found: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [rows for rows in (known, *found) if len(rows)]
    return pd.concat(filled, ignore_index=True) if filled else WEATHER_FORECAST.empty()


def _live(
    place: Place,
    sources: Sequence[Source],
    known: pd.DataFrame,
    times: pd.DatetimeIndex,
    now: datetime,
    failures: _Failures,
) -> list[pd.DataFrame]:
    """The new issue of the first source with a good answer, or none where its answer is known already."""
    for source in sources:
        try:
            forecast = source.forecast(place, now)
            return _new_issue(place, forecast, known, times)
        except ForecastError as error:
            failures.add(error)
    return []


def _new_issue(place: Place, forecast: Forecast, known: pd.DataFrame, times: pd.DatetimeIndex) -> list[pd.DataFrame]:
    unserved = [time for time in times if not is_current(known_at(known, time), time)]
    stamp = min(forecast.received_at, unserved[0] if unserved else times[-1])
    comparable_until = stamp
    if forecast.stated_issue is not None:
        _refuse_bad_issue_time(forecast, times[-1])
        stamp = min(forecast.stated_issue, stamp)
        comparable_until = times[-1]
    hour = stamp.floor("h")
    rows = judged(forecast.source, _between(forecast.rows, hour - HISTORY, hour + HORIZON), place)
    _require_span(forecast.source, rows, times[-1], times[-1] + MIN_HORIZON)
    issue = _issue(rows, stamp, "forecast", forecast.source)
    genuine = known[(known["kind"] == "forecast") & (known["issued_at"] <= comparable_until)]
    last = genuine[genuine["issued_at"] == genuine["issued_at"].max()]
    stands = len(last) > 0 and (last["issued_at"].iloc[0] >= stamp or _unchanged(last, issue))
    return [] if stands else [issue]


def _refuse_bad_issue_time(forecast: Forecast, newest: pd.Timestamp) -> None:
    stated = forecast.stated_issue
    if stated is not None and stated > forecast.received_at + timedelta(minutes=5):
        raise RejectedForecastError(
            forecast.source, "issued_in_future", f"issued at {stated}; check this machine's clock"
        )
    if stated is not None and newest - stated >= MAX_AGE:
        raise RejectedForecastError(forecast.source, "stale", f"issued at {stated}")


def _unchanged(last: pd.DataFrame, issue: pd.DataFrame) -> bool:
    """Whether the source said the same in its last issue, not long ago."""
    if last["source"].iloc[0] != issue["source"].iloc[0]:
        return False
    if issue["issued_at"].iloc[0] - last["issued_at"].iloc[0] >= REISSUE:
        return False
    both = last.merge(issue, on="valid_time", suffixes=("_old", "_new"))
    old, new = (both[[f"{name}_{side}" for name in _VALUES]].to_numpy() for side in ("old", "new"))
    return len(both) > 0 and bool(np.allclose(old, new, rtol=1e-6, atol=1e-6, equal_nan=True))


def _hindcasts(
    place: Place,
    sources: Sequence[Source],
    known: pd.DataFrame,
    times: pd.DatetimeIndex,
    now: datetime,
    failures: _Failures,
) -> list[pd.DataFrame]:
    """A hindcast for every UTC day that has windows for which no forecast was known."""
    past_sources = [source for source in sources if isinstance(source, PastSource)]
    midnights = set(known.loc[known["kind"] == "forecast", "issued_at"])
    found: list[pd.DataFrame] = []
    for block in _blocks(_days_without(known, times)):
        forecast = _past(place, past_sources, block, now, failures)
        if forecast is None:
            failures.notes.append(f"no hindcast from {block[0]:%Y-%m-%d} on; materialise those windows again later")
            break
        for day in block:
            stamp = day + STEP if day in midnights else day
            try:
                rows = judged(forecast.source, _between(forecast.rows, day, day + HORIZON), place)
                _require_span(forecast.source, rows, day, day + MIN_HORIZON)
                found.append(_issue(rows, stamp, "hindcast", forecast.source))
            except RejectedForecastError as error:
                failures.add(error)
    return found


def _past(
    place: Place, sources: Sequence[PastSource], days: list[pd.Timestamp], now: datetime, failures: _Failures
) -> Forecast | None:
    for source in sources:
        try:
            return source.past(place, days[0].date(), (days[-1] + timedelta(days=2)).date(), now)
        except ForecastError as error:
            failures.add(error)
    return None


def _days_without(known: pd.DataFrame, times: pd.DatetimeIndex) -> list[pd.Timestamp]:
    """UTC days, in order, of windows (named by their end) for which neither forecast nor hindcast is known."""
    issues = known[["issued_at", "kind"]].drop_duplicates()
    forecasts = pd.DatetimeIndex(issues.loc[issues["kind"] == "forecast", "issued_at"]).sort_values()
    hindcast_days = pd.DatetimeIndex(issues.loc[issues["kind"] == "hindcast", "issued_at"]).floor("D")
    days = (times - STEP).floor("D")
    before = forecasts.searchsorted(times, side="right") - 1
    served = np.zeros(len(times), dtype=bool)
    if len(forecasts):
        served = (before >= 0) & (times - forecasts[before.clip(min=0)] < pd.Timedelta(MAX_AGE))
    return list(days[~served & ~days.isin(hindcast_days)].unique())


def _blocks(days: list[pd.Timestamp]) -> list[list[pd.Timestamp]]:
    """The days in groups that one request can serve."""
    blocks: list[list[pd.Timestamp]] = []
    for day in days:
        if blocks and day - blocks[-1][0] < timedelta(days=DAYS_PER_REQUEST):
            blocks[-1].append(day)
        else:
            blocks.append([day])
    return blocks


def _between(rows: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    return rows[(rows["valid_time"] >= start) & (rows["valid_time"] < end)].reset_index(drop=True)


def _require_span(source: str, rows: pd.DataFrame, first: pd.Timestamp, end: pd.Timestamp) -> None:
    if rows["valid_time"].iloc[0] > first or rows["valid_time"].iloc[-1] + STEP < end:
        raise RejectedForecastError(
            source, "horizon_too_short", f"{rows['valid_time'].iloc[0]} to {rows['valid_time'].iloc[-1]}, wanted {end}"
        )


def _issue(rows: pd.DataFrame, issued_at: pd.Timestamp, kind: str, source: str) -> pd.DataFrame:
    return WEATHER_FORECAST.conform(rows.assign(issued_at=issued_at, kind=kind, source=source))
