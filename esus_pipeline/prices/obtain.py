"""When to ask for prices, and when they count as known. A building without a price area asks nobody.

A day's prices are known from PUBLISHED on the day before, or earlier where they arrived earlier; so a backfill sees
what a live run would have seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import pandas as pd

from esus_pipeline.frames import ELECTRICITY_PRICE, QUARANTINE
from esus_pipeline.prices.energi_data_service import EnergiDataService
from esus_pipeline.site import Site
from esus_pipeline.weather import ForecastError, RejectedForecastError

PUBLISHED = time(13)
"""Danish local time from which tomorrow's prices count as known."""


@dataclass(frozen=True)
class Obtained:
    """`rows` (frames.ELECTRICITY_PRICE) and `rejected` (frames.QUARANTINE) to store, and `notes` for the operator."""

    rows: pd.DataFrame
    rejected: pd.DataFrame
    notes: tuple[str, ...] = ()
    requests: int = 0


def obtain(
    site: Site, source: EnergiDataService, known: pd.DataFrame, as_of: Sequence[datetime], now: datetime
) -> Obtained:
    """Prices that plans at the instants `as_of` would want and that are not among the `known` rows. Never raises.

    One request at most; none where everything that is published by `now` is known.
    """
    area = site.tariffs.price_area
    if area is None:
        return Obtained(ELECTRICITY_PRICE.empty(), QUARANTINE.empty())
    first = min(as_of).astimezone(site.zone).date() - timedelta(days=1)
    end = min(max(as_of).astimezone(site.zone).date() + timedelta(days=2), _published_until(site, now))
    missing = _days_missing(site, known, area, first, end)
    if not missing:
        return Obtained(ELECTRICITY_PRICE.empty(), QUARANTINE.empty())
    asked = source.requests
    try:
        prices, received = source.prices(area, missing[0], missing[-1] + timedelta(days=1), now)
    except RejectedForecastError as error:
        return Obtained(ELECTRICITY_PRICE.empty(), _quarantine(error, now), (str(error),), source.requests - asked)
    except ForecastError as error:
        return Obtained(ELECTRICITY_PRICE.empty(), QUARANTINE.empty(), (str(error),), source.requests - asked)
    return Obtained(_rows(site, area, prices, received), QUARANTINE.empty(), (), source.requests - asked)


def _published_until(site: Site, now: datetime) -> date:
    """The first local day whose prices are not out yet."""
    local = now.astimezone(site.zone)
    return local.date() + timedelta(days=2 if local.time() >= PUBLISHED else 1)


def _days_missing(site: Site, known: pd.DataFrame, area: str, first: date, end: date) -> list[date]:
    """Local days first .. end - 1 of which fewer than 92 quarters, the shortest day's, are known."""
    own = known[known["price_area"] == area]
    local = pd.DatetimeIndex(own["valid_time"]).tz_convert(site.zone).date
    counts = pd.Series(local).value_counts()
    days = [first + timedelta(days=ahead) for ahead in range((end - first).days)]
    return [day for day in days if counts.get(day, 0) < 92]


def _rows(site: Site, area: str, prices: pd.DataFrame, received: pd.Timestamp) -> pd.DataFrame:
    if prices.empty:
        return ELECTRICITY_PRICE.empty()
    days = pd.DatetimeIndex(prices["valid_time"]).tz_convert(site.zone).normalize()
    published = pd.DatetimeIndex(
        [
            datetime.combine(day.date() - timedelta(days=1), PUBLISHED, tzinfo=site.zone).astimezone(received.tzinfo)
            for day in days
        ]
    ).as_unit("us")
    return ELECTRICITY_PRICE.conform(
        prices.assign(
            price_area=area,
            issued_at=published.where(published < received, received),
            interval_minutes=15,
            source=EnergiDataService.name,
        )
    )


def _quarantine(error: RejectedForecastError, now: datetime) -> pd.DataFrame:
    row = {
        "received_at": now,
        "source": error.source,
        "reason": error.reason,
        "point_id": None,
        "record": error.detail[:2000],
    }
    return QUARANTINE.conform(pd.DataFrame([row]))
