"""Which estimate was known at an instant: the one rule by which plans read stored gains."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.frames import SOLAR_GAIN
from esus_pipeline.weather import LOOK_BACK

_INSTANT = timedelta(microseconds=1)


def stored_gains(archive: Archive, ends: Sequence[datetime]) -> pd.DataFrame:
    """Stored gains of the issues that windows with these ends may use, nowcasts included."""
    return archive.read(SOLAR_GAIN, ends[0] - LOOK_BACK, ends[-1] + _INSTANT)


class Estimates:
    """Rows of frames.SOLAR_GAIN or frames.SOLAR_GAIN_PANE, any issues, sorted once, to be asked about many instants."""

    def __init__(self, gains: pd.DataFrame) -> None:
        key = _key(gains)
        names = {name: "category" for name in key if name != "valid_time"}
        self._rows = gains.sort_values([*key, "issued_at"], ignore_index=True).astype(names)
        self._issued_at = pd.DatetimeIndex(self._rows["issued_at"])
        self._what = self._rows.groupby(key, sort=False, observed=True).ngroup().to_numpy()

    def known_at(self, as_of: datetime) -> pd.DataFrame:
        """For each room (and window) and valid_time the row of the newest issued_at <= as_of, sorted by these.

        Rooms (and windows) are categories, which are cheap to choose rows of.
        """
        known = np.flatnonzero(self._issued_at <= pd.Timestamp(as_of))
        is_newest = np.diff(self._what[known], append=-1) != 0
        return self._rows.take(known[is_newest]).reset_index(drop=True)


def latest_known(gains: pd.DataFrame, as_of: datetime) -> pd.DataFrame:
    """What `Estimates` of these gains knew at that instant."""
    return Estimates(gains).known_at(as_of)


def with_nowcast(gains: pd.DataFrame, nowcast: pd.DataFrame) -> pd.DataFrame:
    """Gains of forecast issues together with nowcast rows of the same table, to be stored.

    An issue and a nowcast can become known at the same instant: the nowcast's row then takes the issue's place.
    """
    both = pd.concat([part for part in (gains, nowcast) if len(part)] or [gains], ignore_index=True)
    return both.drop_duplicates(["issued_at", *_key(both)], keep="last").reset_index(drop=True)


def _key(gains: pd.DataFrame) -> list[str]:
    return [name for name in ("room", "window", "valid_time") if name in gains.columns]
