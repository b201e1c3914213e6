"""Which issue was known at an instant: the one rule by which plans, backfills and evaluations choose a forecast."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.frames import WEATHER_FORECAST

MAX_AGE = timedelta(hours=6)
"""A forecast older than this must not steer shades; plans then fall back to the safe rule."""

HINDCAST_SPAN = timedelta(hours=24)
"""A hindcast stands in for what was known during the day that it begins."""

LOOK_BACK = timedelta(hours=48)
"""How far before the first instant of interest to read stored issues, so that the last good one is among them."""

_INSTANT = timedelta(microseconds=1)


def stored_forecasts(archive: Archive, ends: Sequence[datetime]) -> pd.DataFrame:
    """Stored issues that windows with these ends may use."""
    return archive.read(WEATHER_FORECAST, ends[0] - LOOK_BACK, ends[-1] + _INSTANT)


class Issues:
    """Stored issues, told apart once, to be asked about many instants."""

    def __init__(self, forecasts: pd.DataFrame) -> None:
        self._none = forecasts.iloc[:0]
        self._rows = {pd.Timestamp(str(stamp)): rows for stamp, rows in forecasts.groupby("issued_at")}
        self._kinds = {stamp: rows["kind"].iloc[0] for stamp, rows in self._rows.items()}

    def known_at(self, as_of: datetime) -> pd.DataFrame:
        """As the function of that name."""
        ages = {stamp: as_of - stamp for stamp in self._kinds if stamp <= as_of}
        genuine = [stamp for stamp, age in ages.items() if self._kinds[stamp] == "forecast" and age < MAX_AGE]
        stand_in = [stamp for stamp, age in ages.items() if self._kinds[stamp] == "hindcast" and age <= HINDCAST_SPAN]
        for choice in (genuine, stand_in, list(ages)):
            if choice:
                return self._rows[max(choice)]
        return self._none


def newest_by_time(forecasts: pd.DataFrame) -> pd.DataFrame:
    """Of each valid_time the row of the newest issue, by ascending valid_time: what was known of it in the end."""
    return forecasts.sort_values(["valid_time", "issued_at"]).drop_duplicates("valid_time", keep="last")


def known_at(forecasts: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """Rows of the one issue that a plan made at `as_of` uses; no rows where nothing was known.

    `forecasts` are rows of frames.WEATHER_FORECAST, any issues. The newest forecast of the last MAX_AGE comes first;
    then the newest hindcast of the last HINDCAST_SPAN; then, as the last good one, the newest issue of all.
    """
    return Issues(forecasts).known_at(as_of)


def is_current(issue: pd.DataFrame, as_of: datetime) -> bool:
    """Whether the issue that `known_at` gave is young enough to steer by."""
    if issue.empty:
        return False
    age = pd.Timestamp(as_of) - issue["issued_at"].iloc[0]
    return bool(age <= HINDCAST_SPAN if issue["kind"].iloc[0] == "hindcast" else age < MAX_AGE)


def steering_age(issue: pd.DataFrame, as_of: datetime) -> timedelta | None:
    """Age of the issue for control: a hindcast counts as made at `as_of` while it stands in; None without an issue."""
    if issue.empty:
        return None
    if issue["kind"].iloc[0] == "hindcast" and is_current(issue, as_of):
        return timedelta()
    return (pd.Timestamp(as_of) - issue["issued_at"].iloc[0]).to_pytimedelta()
