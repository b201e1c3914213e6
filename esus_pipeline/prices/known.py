"""What electricity was known to cost at an instant, as a building pays it."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.frames import ELECTRICITY_PRICE
from esus_pipeline.site import Site

LOOK_BACK = timedelta(days=3)
LOOK_AHEAD = timedelta(days=3)


def stored_prices(archive: Archive, ends: Sequence[datetime]) -> pd.DataFrame:
    """Stored prices that plans at these instants may use."""
    return archive.read(ELECTRICITY_PRICE, ends[0] - LOOK_BACK, ends[-1] + LOOK_AHEAD)


def known_prices(site: Site, prices: pd.DataFrame, as_of: datetime) -> "pd.Series[float] | None":
    """Per kWh with the site's surcharge, by start of the quarter (UTC); None where no price is known.

    Args:
        site: the building; without a price area its fixed tariff counts.
        prices: rows of frames.ELECTRICITY_PRICE.
        as_of: only what was known then is used.
    """
    area = site.tariffs.price_area
    own = prices[(prices["price_area"] == area) & (prices["issued_at"] <= as_of)]
    if own.empty:
        return None
    newest = own.sort_values("valid_time").drop_duplicates("valid_time", keep="last")
    index = pd.DatetimeIndex(newest["valid_time"])
    return pd.Series(newest["price"].to_numpy() + site.tariffs.electricity_surcharge, index=index)
