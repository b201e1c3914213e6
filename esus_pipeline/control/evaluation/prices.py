"""An electricity price with the shape of a Danish day, for plants that bring none.

Belongs here: the synthetic day-ahead price. Real prices of the running pipeline come from elsewhere.
"""

from datetime import date, datetime, timedelta

import numpy as np
import pandas as pd

from esus_pipeline.site import Site

SHAPE = np.array(
    [0.70, 0.66, 0.64, 0.64, 0.70, 0.85, 1.10, 1.35, 1.40, 1.20, 1.00, 0.85,
     0.78, 0.76, 0.80, 0.95, 1.20, 1.50, 1.60, 1.45, 1.20, 1.00, 0.90, 0.80]
)  # fmt: skip
"""Hour of the local day -> share of the site's electricity price: a morning and an evening peak, a dip by day."""
SPREAD = 0.25
"""Standard deviation of a whole day's level, as a share of the price."""
PUBLISHED = 13
"""Local hour at which the prices of tomorrow become known."""


def day_ahead(site: Site, seed: int, start: datetime, hours: int) -> pd.Series:
    """Price per kWh by start of the hour (UTC) from `start` on; a day's prices depend on the day and the seed alone."""
    times = pd.date_range(pd.Timestamp(start).floor("h"), periods=hours, freq="h")
    local = times.tz_convert(site.zone)
    level = {day: _level(seed, day) for day in dict.fromkeys(local.date)}
    shape = SHAPE[local.hour] / SHAPE.mean()
    return pd.Series(site.tariffs.electricity * shape * np.array([level[day] for day in local.date]), index=times)


def known_at(site: Site, prices: pd.Series, now: datetime) -> pd.Series:
    """The prices that are published at `now`: today's, and tomorrow's from PUBLISHED on."""
    local = now.astimezone(site.zone)
    last = local.date() + timedelta(days=1 if local.hour >= PUBLISHED else 0)
    days = pd.DatetimeIndex(prices.index).tz_convert(site.zone).date
    return prices[days <= last]


def _level(seed: int, day: date) -> float:
    draw = np.random.default_rng([seed, 31, day.toordinal()]).normal()
    return float(np.clip(1 + SPREAD * draw, 0.3, 2.0))
