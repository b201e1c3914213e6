"""The commands `esus models` and `esus commission`: what is known of the rooms, and how to learn more."""

from datetime import UTC, datetime
from pathlib import Path

import click

from esus_pipeline.settings import Settings, SettingsError


@click.command()
@click.option(
    "--recording",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Parquet file of readings (external_log_id, timestamp, value): learn from it and score, in place of listing.",
)
@click.option("--taught", type=click.IntRange(7), default=14, show_default=True, help="Days of it to learn from.")
@click.option("--scored", type=click.IntRange(2), default=14, show_default=True, help="Days after them to predict.")
def models(recording: Path | None, taught: int, scored: int) -> None:
    """List the rooms' models in force, or score models on a recording beside persistence and a linear black box.

    ESUS_SITE names the building of the recording as of everything else.
    """
    from esus_pipeline.control.model.recorded import score_recording, table
    from esus_pipeline.site import load_site

    settings = _settings()
    try:
        site = load_site(settings.site)
        if recording is None:
            click.echo(_in_force(settings))
        else:
            click.echo(table(score_recording(site, recording, taught, scored)))
    except (ValueError, KeyError) as error:
        raise click.ClickException(str(error)) from None


@click.command()
def commission() -> None:
    """Print shade and setpoint steps in empty hours that would teach what the readings cannot tell of the rooms."""
    from esus_pipeline.connect import archive
    from esus_pipeline.control.model.commissioning import commissioning_plan, words
    from esus_pipeline.control.model.now import models_in_force
    from esus_pipeline.site import load_site

    settings, now = _settings(), datetime.now(UTC)
    try:
        site = load_site(settings.site)
        known = models_in_force(archive(settings), site, now)
    except ValueError as error:
        raise click.ClickException(str(error)) from None
    click.echo(words(commissioning_plan(site, known, now.astimezone(site.zone).date())))


def _in_force(settings: Settings) -> str:
    from esus_pipeline.connect import archive
    from esus_pipeline.control.model import RoomModel
    from esus_pipeline.control.model.now import models_in_force
    from esus_pipeline.site import load_site

    site = load_site(settings.site)
    known = models_in_force(archive(settings), site, datetime.now(UTC))
    lines = [f"{'room':<12}{'version':>8}  {'24 h error':>10}  taught until      the readings cannot tell"]
    for room in site.room_ids:
        model = known.get(room) or RoomModel.from_site(site, room)
        error = f"{model.rmse[24]:.2f} K" if 24 in model.rmse else "not known"
        until = f"{model.trained_to:%Y-%m-%d %H:%M}" if model.trained_to else "never: from site"
        lines.append(f"{room:<12}{model.version:>8}  {error:>10}  {until:<16}  {', '.join(model.unknown)}")
    return "\n".join(lines)


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None
