"""`esus influx`: the operator's commands about InfluxDB."""

import os
from pathlib import Path

import click

from esus_pipeline.influx.config import InfluxConfig, InfluxError
from esus_pipeline.settings import Settings, SettingsError, secrets_of_files


@click.group()
def influx() -> None:
    """Set up the InfluxDB that the pipeline delivers to."""


@influx.command()
@click.option(
    "--retention-days",
    type=click.IntRange(min=0),
    default=None,
    help="How long points are kept, 0 for ever. Default: for ever, and an existing bucket stays as it is.",
)
@click.option(
    "--secrets",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("secrets"),
    show_default=True,
    help="Folder that new tokens are written to, one file each, readable by you alone.",
)
@click.option("--rotate", is_flag=True, help="Replace both tokens; the old ones end at once.")
def init(retention_days: int | None, folder: Path, rotate: bool) -> None:
    """Make bucket, InfluxQL database, a token that only writes and one that only reads. Repeating changes nothing.

    Needs INFLUXDB_URL, INFLUXDB_ORG, INFLUXDB_BUCKET, and INFLUXDB_ADMIN_TOKEN: a token that may administer the
    organisation, needed here only. Tokens are never printed.
    """
    from esus_pipeline.influx.setup import set_up

    try:
        settings = Settings.from_env()
        token = {**os.environ, **secrets_of_files(os.environ)}.get("INFLUXDB_ADMIN_TOKEN", "").strip()
        if not token:
            raise click.ClickException(
                "INFLUXDB_ADMIN_TOKEN is not set; for this command it must be a token that administers the organisation"
            )
        admin = InfluxConfig(settings.influx_url, settings.influx_org, settings.influx_bucket, token)
        for step in set_up(admin, retention_days, folder, rotate):
            click.echo(f"{step.subject:<12} {step.message}")
    except (InfluxError, SettingsError) as error:
        raise click.ClickException(str(error)) from None
