"""What the assets are given: the site, the data folder, the building's API, the forecast sources, InfluxDB.

Each resource builds plain domain objects (see connect). Secrets are EnvVars, which Dagster resolves in the run and
shows by their names only.
"""

import dataclasses
import functools
from collections.abc import Sequence
from pathlib import Path

import dagster as dg

from esus_pipeline import connect
from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsClient
from esus_pipeline.influx import InfluxConfig, Sender
from esus_pipeline.prices import EnergiDataService
from esus_pipeline.settings import Settings
from esus_pipeline.site import Site, load_site
from esus_pipeline.weather import Source

_site = functools.cache(load_site)


class SiteResource(dg.ConfigurableResource):
    """The building: the name of a site of the package, or a folder."""

    site: str

    def load(self) -> Site:
        """The validated description, read once per process."""
        return _site(self.site)


class DataResource(dg.ConfigurableResource):
    """The folder that everything is kept in."""

    data_dir: str

    def archive(self) -> Archive:
        """The tables."""
        return connect.archive(Settings(data_dir=Path(self.data_dir)))

    def settings(self) -> Settings:
        """The environment's settings with this folder; secrets stay in the environment."""
        return dataclasses.replace(Settings.from_env(), data_dir=Path(self.data_dir))

    @property
    def point_list(self) -> Path:
        """Where the building's list of points is kept between looks."""
        return Path(self.data_dir) / "bms" / "points.json"

    @property
    def plan_page(self) -> Path:
        """Where the page of the newest plan is written."""
        return Path(self.data_dir) / "plan" / "index.html"


class BmsResource(dg.ConfigurableResource):
    """The building's API."""

    url: str
    username: str
    password: str
    connections: int

    def client(self, site: Site) -> BmsClient:
        """A client to be used as a context manager: one connection pool per run."""
        settings = Settings(
            bms_url=self.url,
            bms_username=self.username,
            bms_password=self.password,
            bms_connections=self.connections,
        )
        return BmsClient(connect.bms_config(settings, site))


class ForecastResource(dg.ConfigurableResource):
    """The forecast sources."""

    url: str
    fallback_url: str
    hindcast_url: str
    contact: str
    data_dir: str

    def sources(self) -> Sequence[Source]:
        """The sources in the order in which they are asked."""
        return connect.forecast_sources(
            Settings(
                data_dir=Path(self.data_dir),
                forecast_url=self.url,
                forecast_fallback_url=self.fallback_url,
                hindcast_url=self.hindcast_url,
                contact=self.contact,
            )
        )


class InfluxResource(dg.ConfigurableResource):
    """The InfluxDB bucket that the sinks deliver to."""

    url: str
    org: str
    bucket: str
    token: str

    def sender(self) -> Sender:
        """A sender to be used as a context manager; InfluxConfigError says which variable is missing or wrong."""
        return Sender(InfluxConfig(url=self.url, org=self.org, bucket=self.bucket, token=self.token))


class PriceResource(dg.ConfigurableResource):
    """The source of electricity prices."""

    url: str
    contact: str
    data_dir: str

    def source(self) -> EnergiDataService:
        """Its client."""
        return connect.price_source(Settings(data_dir=Path(self.data_dir), price_url=self.url, contact=self.contact))


def resources(settings: Settings) -> dict[str, dg.ConfigurableResource]:
    """Resources of one process's settings, by the names that the assets ask for."""
    return {
        "site": SiteResource(site=settings.site),
        "data": DataResource(data_dir=str(settings.data_dir)),
        "bms": BmsResource(
            url=dg.EnvVar("ESUS_BMS_URL"),
            username=dg.EnvVar("ESUS_BMS_USERNAME"),
            password=dg.EnvVar("ESUS_BMS_PASSWORD"),
            connections=settings.bms_connections,
        ),
        "price": PriceResource(url=settings.price_url, contact=settings.contact, data_dir=str(settings.data_dir)),
        "forecast": ForecastResource(
            url=settings.forecast_url,
            fallback_url=settings.forecast_fallback_url,
            hindcast_url=settings.hindcast_url,
            contact=settings.contact,
            data_dir=str(settings.data_dir),
        ),
        "influx": InfluxResource(
            url=settings.influx_url,
            org=settings.influx_org,
            bucket=settings.influx_bucket,
            token=dg.EnvVar("INFLUXDB_TOKEN"),
        ),
    }
