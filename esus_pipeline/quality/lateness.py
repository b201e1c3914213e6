"""How late a controller usually delivers, learned from when its readings arrived.

Belongs here: from raw readings with their arrival to one version of frames.CONTROLLER_RHYTHM, and what was known at
an instant. Does not belong here: judging by it (see progress and states).
"""

from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.frames import CONTROLLER_RHYTHM
from esus_pipeline.instants import NEVER, Ints, length, microseconds
from esus_pipeline.quality.bounds import CONTROLLER, LONGEST, WITNESSES, Bounds, controllers
from esus_pipeline.quality.progress import watermarks
from esus_pipeline.quality.states import FINAL
from esus_pipeline.site import Site

FEW_POLLS = 96
"""With fewer polls than in a day nothing is learned."""

QUANTILE = 0.98
MARGIN = 1.25
"""A lateness of MARGIN times this quantile of the delivered lags is normal."""

QUIET_QUANTILE = 0.99
QUIET_MARGIN = 1.5
"""The same of the lags that silence alone explains."""

COUNTS = range(1, WITNESSES + 2)

PROMPT = timedelta(minutes=30)
"""As many witnesses are asked for as have nine times of ten spoken within this."""

_MINUTE = length(timedelta(minutes=1))


class Arrived:
    """Newest stamp of each point as it was known at an instant, by when the readings arrived."""

    def __init__(self, point_ids: tuple[int, ...], raw: pd.DataFrame) -> None:
        """`raw` has point_id, timestamp and received_at."""
        ordered = raw.sort_values(["point_id", "received_at"], kind="stable")
        ids = ordered["point_id"].to_numpy()
        stamps, arrivals = microseconds(ordered["timestamp"]), microseconds(ordered["received_at"])
        parts = [slice(*np.searchsorted(ids, [point, point + 1])) for point in point_ids]
        self._series = [(arrivals[part], np.r_[NEVER, np.maximum.accumulate(stamps[part])]) for part in parts]

    def newest(self, instants: Ints) -> Ints:
        """[instants, points]; NEVER where nothing was known."""
        columns = [newest[np.searchsorted(arrival, instants, side="right")] for arrival, newest in self._series]
        return np.stack(columns, axis=1)


def learn_lateness(site: Site, raw: pd.DataFrame, valid_from: datetime, limits: Bounds) -> pd.DataFrame:
    """One version of frames.CONTROLLER_RHYTHM: a row for every controller of the site.

    `limits` are the bounds of the points in the same version; they say whose readings count, and of how many points.

    Only polls count that brought something fresh from somewhere in the building: what a backfill or the first poll
    after an outage of ours says about lateness is nothing. Nor does an outage of the controller: polls at which most of
    its points had been silent for longer than their bounds, by their stamps.
    """
    polls = np.unique(microseconds(raw["received_at"]))
    newest = Arrived(site.point_ids, raw).newest(polls)
    live = polls - newest.max(axis=1, initial=NEVER) <= length(CONTROLLER)
    polls, newest, names = polls[live], newest[live], controllers(site)
    spoken = Arrived(site.point_ids, raw.assign(received_at=raw["timestamp"])).newest(polls)
    late, quiet = (
        np.stack([polls[:, None] - watermarks(stamps, limits, np.full(len(names), count)) for count in COUNTS])
        for stamps in (newest, spoken)
    )
    silent = limits.used(spoken, np.broadcast_to(polls[:, None], spoken.shape)) > 1
    rows = []
    for at, (name, most) in enumerate(zip(names, limits.witnesses, strict=True)):
        mine = limits.counted & (limits.member == at)
        alive = mine.sum() - silent[:, mine].sum(axis=1) >= most
        rows.append(_row(name, late[:, alive, at], quiet[:, alive, at], int(most)))
    return CONTROLLER_RHYTHM.conform(pd.DataFrame(rows).assign(valid_from=pd.Timestamp(valid_from).as_unit("us")))


def _row(name: str, lags: Ints, quiet: Ints, most: int) -> dict[str, object]:
    """What is normal for one controller from its lag at the polls, and from what of it is mere silence.

    Both are [number of witnesses - 1, polls]; `most` witnesses may be asked for. A controller of few, slow points lags
    at night though it delivers at once; that must not be called late, so its bound is no smaller than its usual
    silence.

    With one of the witnesses lost, the watermark lags as one of a witness more does: that is the bound.
    """
    known = (lags < length(LONGEST)).all(axis=0)
    if known.sum() < FEW_POLLS:
        usual = np.full(len(lags), float(length(CONTROLLER)))
        witnesses = most
    else:
        delivery = np.minimum(MARGIN * np.quantile(lags[:, known], QUANTILE, axis=1), length(FINAL))
        usual = np.maximum(delivery, QUIET_MARGIN * np.quantile(quiet[:, known], QUIET_QUANTILE, axis=1))
        prompt = np.quantile(lags[:most, known], 0.9, axis=1) <= length(PROMPT)
        witnesses = max(int(prompt.sum()), 1)
    bound = np.clip(usual, length(CONTROLLER), length(LONGEST))[witnesses] / _MINUTE
    return {
        "controller": name,
        "polls": int(known.sum()),
        "witnesses": witnesses,
        "bound_minutes": float(bound),
    }
