"""From settings to the domain's objects: the archive, the building's client configuration, the forecast sources."""

from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsConfig
from esus_pipeline.settings import Settings
from esus_pipeline.site import Site
from esus_pipeline.weather import HttpCache, MetNorway, OpenMeteo, Source


def archive(settings: Settings) -> Archive:
    """The tables of the data folder."""
    return Archive(settings.data_dir / "archive")


def bms_config(settings: Settings, site: Site) -> BmsConfig:
    """How the building is reached; a BmsError says which variable is missing or wrong."""
    return BmsConfig(
        base_url=settings.bms_url,
        username=settings.bms_username,
        password=settings.bms_password,
        zone=site.place.timezone,
        connections=settings.bms_connections,
    )


def forecast_sources(settings: Settings) -> tuple[Source, ...]:
    """Open-Meteo, then MET Norway: the order in which they are asked. Their caches share one file."""

    def cache() -> HttpCache:
        return HttpCache(settings.data_dir / "cache" / "forecasts.sqlite", contact=settings.contact)

    return (
        OpenMeteo(cache(), settings.forecast_url, settings.hindcast_url or None),
        MetNorway(cache(), settings.forecast_fallback_url),
    )
