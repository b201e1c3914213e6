"""`esus doctor`: is everything there that the pipeline needs, and if not, what to do about it.

Each check is a plain function that gives findings; none changes anything.
"""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from esus_pipeline.archive import Archive
from esus_pipeline.bms import BmsClient, BmsError, BmsUnreachable
from esus_pipeline.connect import bms_config, forecast_sources
from esus_pipeline.influx import InfluxConfig, InfluxConfigError
from esus_pipeline.influx.check import look
from esus_pipeline.settings import Settings
from esus_pipeline.site import Site, SiteError, load_site
from esus_pipeline.site.model import SunSensor
from esus_pipeline.site.quantities import QUANTITIES
from esus_pipeline.weather import ForecastError

LEAST_FREE_BYTES = 2 * 2**30
MOST_CLOCK_SKEW_SECONDS = 60.0


@dataclass(frozen=True)
class Finding:
    """One line of the report: what was looked at, how it is, and what to do where it is not good."""

    level: Literal["ok", "assumed", "warning", "failed"]
    subject: str
    message: str


def examine(settings: Settings) -> Iterator[Finding]:
    """All findings, one after another; a site that cannot be loaded ends the examination."""
    try:
        site = load_site(settings.site)
    except SiteError as error:
        yield Finding("failed", "site", str(error))
        return
    yield from _site(site)
    yield from _folders(settings)
    yield from _bms(settings, site)
    yield from _forecasts(settings, site)
    yield from _influx(settings)


def _site(site: Site) -> Iterator[Finding]:
    yield Finding("ok", "site", f"{site.title}: {len(site.rooms)} rooms, {len(site.points)} points")
    for name in site.assumptions():
        yield Finding("assumed", "site", f"{name} is a guess; measure it and remove `assumed: true`")
    yield from _points(site)


def _points(site: Site) -> Iterator[Finding]:
    """What the plans will have to do without, and readings that will be kept but cannot be judged."""
    measured = {(point.room, point.quantity) for point in site.points}
    for room in site.room_ids:
        if (room, "air_temperature") not in measured:
            yield Finding("warning", "points", f"room {room} has no air_temperature; nothing is predicted for it")
    if (None, site.wind.quantity) not in measured:
        yield Finding("warning", "points", f"the building has no {site.wind.quantity}; the forecast alone is used")
    for name, facade in site.facades.items():
        if facade.sun_sensor:
            yield from _sun_sensor(site, name, facade.sun_sensor)
    strangers = sorted({point.quantity for point in site.points} - QUANTITIES.keys() - site.quantities.keys())
    if strangers:
        names = ", ".join(strangers)
        yield Finding("warning", "points", f"kept without limits: {names}; describe them under `quantities:`")
    for point in site.points:
        quantity = site.quantity(point.quantity)
        if quantity.unit != "unknown" and quantity.convert(point.unit) is None:
            yield Finding(
                "warning",
                "points",
                f"point {point.id}: {point.unit!r} cannot become {quantity.unit}; its readings are not used",
            )


def _sun_sensor(site: Site, facade: str, sensor: SunSensor) -> Iterator[Finding]:
    units = {site.canonical_unit(point) for point in site.points if point.quantity == sensor.quantity}
    if not units:
        yield Finding("warning", "points", f"no point measures {sensor.quantity} of the facade {facade}")
    for unit in units - {sensor.unit, "unknown"}:
        yield Finding(
            "warning", "points", f"{sensor.quantity} is kept in {unit}, but its sun_sensor says {sensor.unit}"
        )


def _folders(settings: Settings) -> Iterator[Finding]:
    folder = settings.data_dir
    existing = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        yield Finding(
            "failed",
            "data",
            f"{existing} is not a folder that can be written; set ESUS_DATA_DIR to a folder of this user",
        )
    else:
        yield Finding("ok", "data", f"{folder} can be written")
    free = shutil.disk_usage(existing).free
    level: Literal["ok", "warning"] = "ok" if free >= LEAST_FREE_BYTES else "warning"
    yield Finding(level, "disk", f"{free / 2**30:.1f} GiB free; keep at least {LEAST_FREE_BYTES / 2**30:.0f} GiB")
    for damaged in Archive(folder / "archive").corrupt():
        yield Finding("warning", "archive", f"{damaged} is damaged and was set aside; materialise its day again")
    yield _dagster(os.environ.get("DAGSTER_HOME", ""))


def _dagster(home: str) -> Finding:
    if not home:
        return Finding("warning", "dagster", "DAGSTER_HOME is not set; Dagster would forget everything when it stops")
    if not Path(home).is_absolute():
        return Finding("failed", "dagster", f"DAGSTER_HOME must be an absolute path, got {home}")
    if not Path(home).is_dir():
        return Finding("failed", "dagster", f"DAGSTER_HOME is {home}, and there is no such folder; make it")
    if not (Path(home) / "dagster.yaml").is_file():
        return Finding("warning", "dagster", f"{home} has no dagster.yaml; take one as docs/operating.md says")
    return Finding("ok", "dagster", f"DAGSTER_HOME is {home}")


def _bms(settings: Settings, site: Site) -> Iterator[Finding]:
    try:
        config = bms_config(settings, site)
        with BmsClient(config) as client:
            check = client.check()
            if check.credentials_accepted is False:  # asked once: repeats lock accounts
                yield Finding("failed", "building", check.detail)
                return
            known = set(client.metadata()["point_id"])
    except BmsUnreachable as error:
        yield Finding("failed", "building", f"{error}; is ESUS_BMS_URL right, and open from this machine?")
        return
    except BmsError as error:
        yield Finding("failed", "building", str(error))
        return
    yield Finding("ok", "building", f"{config.host} answers and accepts the credentials")
    skew = check.clock_skew_s
    if skew is not None and abs(skew) > MOST_CLOCK_SKEW_SECONDS:
        yield Finding(
            "warning", "clock", f"the building's clock differs by {skew:.0f} s; check this machine's time service"
        )
    elif skew is not None:
        yield Finding("ok", "clock", f"within {abs(skew):.0f} s of the building's")
    absent = sorted(set(site.point_ids) - known)
    if absent:
        yield Finding(
            "warning", "points", f"{len(absent)} points of the site are not in the building's list: {absent[:10]}"
        )
    else:
        yield Finding("ok", "points", f"all {len(site.points)} are in the building's list")


def _forecasts(settings: Settings, site: Site) -> Iterator[Finding]:
    if not settings.contact:
        yield Finding("warning", "forecast", "set ESUS_CONTACT to an e-mail address; MET Norway refuses without one")
    for source in forecast_sources(settings):
        try:
            forecast = source.forecast(site.place, datetime.now(UTC))
            yield Finding(
                "ok",
                "forecast",
                f"{source.name} answers, until {forecast.rows['valid_time'].iloc[-1]:%Y-%m-%d %H:%M} UTC",
            )
        except ForecastError as error:
            yield Finding("warning", "forecast", f"{source.name}: {error}")


def _influx(settings: Settings) -> Iterator[Finding]:
    if not settings.influx_url:
        yield Finding("ok", "influxdb", "is not configured; nothing is delivered")
        return
    try:
        config = InfluxConfig(settings.influx_url, settings.influx_org, settings.influx_bucket, settings.influx_token)
    except InfluxConfigError as error:
        yield Finding("failed", "influxdb", str(error))
        return
    levels: dict[bool | None, Literal["ok", "warning", "failed"]] = {True: "ok", None: "warning", False: "failed"}
    for fact in look(config, settings.influx_read_token):
        yield Finding(levels[fact.good], "influxdb", fact.message)
