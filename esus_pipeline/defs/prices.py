"""Asset `electricity_price`: what electricity costs, day ahead."""

import dagster as dg

from esus_pipeline.defs.common import now, window_asset
from esus_pipeline.defs.partitions import window_ends
from esus_pipeline.defs.resources import DataResource, PriceResource, SiteResource
from esus_pipeline.frames import ELECTRICITY_PRICE, QUARANTINE
from esus_pipeline.prices import obtain, stored_prices


@window_asset(ELECTRICITY_PRICE, "prices", {"parquet"})
def electricity_price(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource, price: PriceResource
) -> dg.MaterializeResult:
    """Ask for the day-ahead prices that are published and not stored; without them the site's tariff counts."""
    building, archive, started = site.load(), data.archive(), now()
    ends = window_ends(context.partition_time_window)
    obtained = obtain(building, price.source(), stored_prices(archive, ends), ends, started)
    archive.merge(ELECTRICITY_PRICE, obtained.rows)
    archive.merge(QUARANTINE, obtained.rejected, compare=())
    for note in obtained.notes:
        context.log.warning(f"{note}; hours without a price cost the site's tariff")
    stored = stored_prices(archive, ends)
    return dg.MaterializeResult(
        metadata={
            "rows": len(obtained.rows),
            "price_area": building.tariffs.price_area or "none: the fixed tariff counts",
            "known_until": stored["valid_time"].max().isoformat() if len(stored) else "never",
            "rejected": len(obtained.rejected),
            "requests": obtained.requests,
            "duration_seconds": (now() - started).total_seconds(),
        }
    )
