"""Assets `weather_forecast` and `solar_gain`: what the sky will do, and what comes through the windows."""

from datetime import datetime, timedelta

import dagster as dg
import pandas as pd
from dagster import TimeWindow

from esus_pipeline.archive import Archive
from esus_pipeline.defs.common import now, window_asset
from esus_pipeline.defs.partitions import days, window_ends
from esus_pipeline.defs.readings import clean_series
from esus_pipeline.defs.resources import DataResource, ForecastResource, SiteResource
from esus_pipeline.frames import CLEAN_SERIES, QUARANTINE, SOLAR_GAIN, SOLAR_GAIN_PANE, WEATHER_FORECAST
from esus_pipeline.site import Site
from esus_pipeline.solar import (
    FacadeFactor,
    FacadeSun,
    facade_factors,
    facade_irradiance,
    nowcast,
    pane_gains,
    room_gains,
    with_nowcast,
)
from esus_pipeline.weather import Issues, obtain, stored_forecasts

SENSOR_LOOK_BACK = timedelta(hours=1)
"""What the facade sensors said in this time before a window is read; younger than it are those that count."""


@window_asset(WEATHER_FORECAST, "weather", {"parquet"})
def weather_forecast(
    context: dg.AssetExecutionContext, site: SiteResource, data: DataResource, forecast: ForecastResource
) -> dg.MaterializeResult:
    """Obtain what was known at the end of every window; windows share the answers of the sources."""
    building, archive, started = site.load(), data.archive(), now()
    ends = window_ends(context.partition_time_window)
    obtained = obtain(building, forecast.sources(), stored_forecasts(archive, ends), ends, started)
    archive.merge(WEATHER_FORECAST, obtained.rows)
    archive.merge(QUARANTINE, obtained.rejected, compare=())
    for note in obtained.notes:
        context.log.warning(note)
    if not obtained.current:
        context.log.warning("No forecast is young enough to steer by: the schedule falls back to the safe plan.")
    return dg.MaterializeResult(
        metadata={
            "rows": len(obtained.rows),
            "source": obtained.source or "none",
            "kind": obtained.kind or "none",
            "issued_at": obtained.issued_at.isoformat() if obtained.issued_at is not None else "never",
            "age_seconds": obtained.age_seconds,
            "current": obtained.current,
            "rejected": len(obtained.rejected),
            "requests": obtained.requests,
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


@window_asset(SOLAR_GAIN, "weather", {"parquet"}, deps=[weather_forecast, clean_series])
def solar_gain(context: dg.AssetExecutionContext, site: SiteResource, data: DataResource) -> dg.MaterializeResult:
    """Compute each forecast issue's gains once, and correct the next hours of every window by the facade sensors."""
    building, archive, started = site.load(), data.archive(), now()
    rows, corrected, sensors = 0, 0, dict[str, FacadeFactor]()
    for day in days(context.partition_time_window):
        base, nowcasts, sensors = _gains(building, archive, day)
        panes = with_nowcast(base, nowcasts)
        archive.merge(SOLAR_GAIN_PANE, panes)
        rooms = room_gains(building, panes)
        archive.merge(SOLAR_GAIN, rooms)
        rows += len(rooms)
        corrected += nowcasts["issued_at"].nunique()
    return dg.MaterializeResult(
        metadata={
            "rows": rows,
            "windows_corrected_by_sensors": corrected,
            "facade_sensors_in_the_last_window": {facade: str(factor) for facade, factor in sensors.items()},
            "duration_seconds": (now() - started).total_seconds(),
        }
    )


def _gains(site: Site, archive: Archive, day: TimeWindow) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, FacadeFactor]]:
    """Gains per pane of the day's issues, corrected next hours of every window, what the sensors said in the last."""
    ends = window_ends(day)
    issues = Issues(stored_forecasts(archive, ends))
    sensors = [facade.sun_sensor.quantity for facade in site.facades.values() if facade.sun_sensor]
    readings = (
        archive.read(CLEAN_SERIES, day.start - SENSOR_LOOK_BACK, day.end, quantity=sensors)
        if sensors
        else CLEAN_SERIES.empty()
    )
    base: dict[datetime, pd.DataFrame] = {}
    facades: dict[datetime, dict[str, FacadeSun]] = {}
    nowcasts, factors = [SOLAR_GAIN_PANE.empty()], dict[str, FacadeFactor]()
    for as_of in ends:
        issue = issues.known_at(as_of)
        if issue.empty:
            continue
        issued_at = issue["issued_at"].iloc[0]
        if issued_at not in base:
            base[issued_at] = pane_gains(site, issue)
            facades[issued_at] = facade_irradiance(site, issue)
        factors = facade_factors(site, readings, facades[issued_at], as_of)
        nowcasts.append(nowcast(site, base[issued_at], factors, as_of))
    return (
        pd.concat([SOLAR_GAIN_PANE.empty(), *base.values()], ignore_index=True),
        pd.concat(nowcasts, ignore_index=True),
        factors,
    )
