"""What the operator sets by environment variables, read in one place. Secrets stay out of every repr.

A secret may stand in a file instead, named by the variable with `_FILE` behind it, as containers and systemd give them.

`.env.example` documents each variable for people; `VARIABLES` is the list that the tests hold it against.
"""

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

VARIABLES = (
    "ESUS_SITE",
    "ESUS_DATA_DIR",
    "ESUS_DATA_START",
    "ESUS_BMS_URL",
    "ESUS_BMS_USERNAME",
    "ESUS_BMS_PASSWORD",
    "ESUS_BMS_CONNECTIONS",
    "ESUS_FORECAST_URL",
    "ESUS_FORECAST_FALLBACK_URL",
    "ESUS_HINDCAST_URL",
    "ESUS_PRICE_URL",
    "ESUS_CONTACT",
    "ESUS_GAP_HOURS",
    "ESUS_AUTOMATION",
    "ESUS_UI_URL",
    "ESUS_ALERT_SMTP_URL",
    "ESUS_ALERT_SMTP_USERNAME",
    "ESUS_ALERT_SMTP_PASSWORD",
    "ESUS_ALERT_FROM",
    "ESUS_ALERT_TO",
    "ESUS_ALERT_WEBHOOK_URL",
    "ESUS_HEARTBEAT_URL",
    "ESUS_HEARTBEAT_FILE",
    "DAGSTER_HOME",
    "INFLUXDB_URL",
    "INFLUXDB_ORG",
    "INFLUXDB_BUCKET",
    "INFLUXDB_TOKEN",
    "INFLUXDB_READ_TOKEN",
)

OPTIONAL_SECRETS = ("ESUS_ALERT_SMTP_PASSWORD", "ESUS_ALERT_WEBHOOK_URL", "ESUS_HEARTBEAT_URL")
SECRETS = ("ESUS_BMS_PASSWORD", "INFLUXDB_TOKEN", "INFLUXDB_READ_TOKEN", "INFLUXDB_ADMIN_TOKEN", *OPTIONAL_SECRETS)
"""Variables of which NAME_FILE may name a file that holds the value; the file of an optional one may be empty."""

_ON = {"on", "1", "true", "yes"}
_OFF = {"off", "0", "false", "no"}


class SettingsError(ValueError):
    """An environment variable that is missing or cannot be used; the message says what to set."""


@dataclass(frozen=True)
class Settings:
    """The settings of one process. An empty string means "not set"."""

    site: str = "tmv23"
    data_dir: Path = Path("data")
    bms_url: str = ""
    bms_username: str = ""
    bms_password: str = field(default="", repr=False)
    bms_connections: int = 2
    forecast_url: str = "https://api.open-meteo.com"
    forecast_fallback_url: str = "https://api.met.no"
    hindcast_url: str = ""
    price_url: str = "https://api.energidataservice.dk"
    contact: str = ""
    influx_url: str = ""
    """Empty: nothing is delivered."""
    influx_org: str = ""
    influx_bucket: str = ""
    influx_token: str = field(default="", repr=False)
    influx_read_token: str = field(default="", repr=False)
    """Grafana's; the pipeline itself only checks it."""
    gap_hours: int = 48
    data_start: date | None = None
    """First day (UTC) that has partitions, where it is not the site's."""
    automation: bool = False
    """Whether schedules and sensors start by themselves; otherwise the operator turns them on."""
    ui_url: str = ""
    """Address of Dagster's UI as the readers of alerts reach it."""
    alert_smtp_url: str = ""
    alert_smtp_username: str = field(default="", repr=False)
    alert_smtp_password: str = field(default="", repr=False)
    alert_from: str = ""
    alert_to: tuple[str, ...] = ()
    alert_webhook_url: str = field(default="", repr=False)
    """A secret by itself, as chat systems make it."""
    heartbeat_url: str = field(default="", repr=False)
    heartbeat_file: Path | None = None
    """None: the file `heartbeat` in the data folder."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> "Settings":
        """Settings of the environment; SettingsError names the variable or the secret's file that cannot be read."""
        env = {**env, **secrets_of_files(env)}

        def text(name: str, default: str) -> str:
            return env.get(name, "").strip() or default

        def number(name: str, default: int) -> int:
            value = text(name, str(default))
            if not value.isdecimal() or int(value) < 1:
                raise SettingsError(f"{name} must be a whole number of at least 1, got {value!r}")
            return int(value)

        def day(name: str) -> date | None:
            value = text(name, "")
            try:
                return date.fromisoformat(value) if value else None
            except ValueError:
                raise SettingsError(f"{name} must be a day such as 2026-01-31, got {value!r}") from None

        def path(name: str) -> Path | None:
            value = text(name, "")
            return Path(value).expanduser().resolve() if value else None

        automation = text("ESUS_AUTOMATION", "off").lower()
        if automation not in _ON | _OFF:
            raise SettingsError(f"ESUS_AUTOMATION must be on or off, got {automation!r}")
        return cls(
            site=text("ESUS_SITE", cls.site),
            data_dir=Path(text("ESUS_DATA_DIR", str(cls.data_dir))).expanduser().resolve(),
            bms_url=text("ESUS_BMS_URL", ""),
            bms_username=text("ESUS_BMS_USERNAME", ""),
            bms_password=env.get("ESUS_BMS_PASSWORD", ""),
            bms_connections=number("ESUS_BMS_CONNECTIONS", cls.bms_connections),
            forecast_url=text("ESUS_FORECAST_URL", cls.forecast_url),
            forecast_fallback_url=text("ESUS_FORECAST_FALLBACK_URL", cls.forecast_fallback_url),
            hindcast_url=text("ESUS_HINDCAST_URL", ""),
            price_url=text("ESUS_PRICE_URL", cls.price_url),
            contact=text("ESUS_CONTACT", ""),
            influx_url=text("INFLUXDB_URL", ""),
            influx_org=text("INFLUXDB_ORG", ""),
            influx_bucket=text("INFLUXDB_BUCKET", ""),
            influx_token=text("INFLUXDB_TOKEN", ""),
            influx_read_token=text("INFLUXDB_READ_TOKEN", ""),
            gap_hours=number("ESUS_GAP_HOURS", cls.gap_hours),
            data_start=day("ESUS_DATA_START"),
            automation=automation in _ON,
            ui_url=text("ESUS_UI_URL", ""),
            alert_smtp_url=text("ESUS_ALERT_SMTP_URL", ""),
            alert_smtp_username=text("ESUS_ALERT_SMTP_USERNAME", ""),
            alert_smtp_password=env.get("ESUS_ALERT_SMTP_PASSWORD", ""),
            alert_from=text("ESUS_ALERT_FROM", ""),
            alert_to=tuple(filter(None, (each.strip() for each in text("ESUS_ALERT_TO", "").split(",")))),
            alert_webhook_url=text("ESUS_ALERT_WEBHOOK_URL", ""),
            heartbeat_url=text("ESUS_HEARTBEAT_URL", ""),
            heartbeat_file=path("ESUS_HEARTBEAT_FILE"),
        )


def secrets_of_files(env: Mapping[str, str]) -> dict[str, str]:
    """Value of each secret whose NAME_FILE is set; a file's last line end is not part of it.

    SettingsError when the file cannot be read, is empty though not optional, or the variable itself is set as well.
    Contents are not shown.
    """
    found = {}
    for name in SECRETS:
        path = env.get(f"{name}_FILE", "").strip()
        if not path:
            continue
        if env.get(name):
            raise SettingsError(f"{name} and {name}_FILE are both set; keep one of them")
        try:
            value = Path(path).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeError) as error:
            why = getattr(error, "strerror", None) or "it is not text"
            raise SettingsError(f"{name}_FILE is {path}, which cannot be read: {why}") from None
        if not value and name not in OPTIONAL_SECRETS:
            raise SettingsError(f"{name}_FILE is {path}, which is empty; write the secret into it")
        found[name] = value
    return found


def export_secrets(env: MutableMapping[str, str] = os.environ) -> None:
    """Put the secrets of files into the environment, for those who read it by name only (Dagster's EnvVar)."""
    for name, value in secrets_of_files(env).items():
        env[name] = value
        del env[f"{name}_FILE"]
