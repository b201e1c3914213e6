"""From settings to the domain's objects: archive, client configuration, sources of forecasts and prices."""

from email.utils import parseaddr

from esus_pipeline.alerts import AlertConfigError, Alerts
from esus_pipeline.alerts.reconcile import Policy
from esus_pipeline.alerts.senders import Mail, MailServer, Sender, Webhook
from esus_pipeline.alerts.store import Store
from esus_pipeline.alerts.words import Sender as Who
from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsConfig
from esus_pipeline.prices import EnergiDataService
from esus_pipeline.prices.energi_data_service import SPACING
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


def alerts(settings: Settings, site: Site) -> Alerts:
    """Where alerts go; an AlertConfigError says which variable is missing or wrong."""
    return Alerts(
        store=Store(settings.data_dir / "alerts" / "alerts.sqlite"),
        senders=_alert_senders(settings),
        who=Who(site.title, site.zone, settings.ui_url),
        policy=Policy(site.zone, site.alerts),
        heartbeat_file=settings.heartbeat_file or settings.data_dir / "heartbeat",
        heartbeat_url=settings.heartbeat_url,
    )


def _alert_senders(settings: Settings) -> tuple[Sender, ...]:
    senders: list[Sender] = []
    if settings.alert_smtp_url:
        server = MailServer(settings.alert_smtp_url, settings.alert_smtp_username, settings.alert_smtp_password)
        if not settings.alert_to:
            raise AlertConfigError("ESUS_ALERT_SMTP_URL is set, but ESUS_ALERT_TO names nobody.")
        for name, addresses in (("ESUS_ALERT_FROM", (settings.alert_from,)), ("ESUS_ALERT_TO", settings.alert_to)):
            for address in addresses:
                if "@" not in address or parseaddr(address)[1] != address:
                    raise AlertConfigError(f"{name} must be plain addresses such as a@example.org, got {address!r}")
        senders += [Mail(server, settings.alert_from, recipient) for recipient in dict.fromkeys(settings.alert_to)]
    if settings.alert_webhook_url:
        senders.append(Webhook(settings.alert_webhook_url))
    return tuple(senders)


def price_source(settings: Settings) -> EnergiDataService:
    """Where day-ahead electricity prices come from."""
    http = HttpCache(
        settings.data_dir / "cache" / "prices.sqlite",
        contact=settings.contact,
        setting="ESUS_PRICE_URL",
        spacing=SPACING,
    )
    return EnergiDataService(http, settings.price_url)
