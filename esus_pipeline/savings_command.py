"""The command `esus savings`: what the plan was worth, day by day, and whether that is evidence."""

from datetime import UTC, datetime

import click

from esus_pipeline.settings import Settings, SettingsError


@click.command()
@click.option("--since", default="30d", show_default=True, help="36h, 7d, 2w, or an instant such as 2026-06-21T00:00.")
@click.option("--rooms", is_flag=True, help="A line per room and day, with why a room's day does not count.")
def savings(since: str, rooms: bool) -> None:
    """What the plan saved against the rule that the building runs without it, with an interval.

    "Not enough evidence yet" where that is the truth, and what is missing.
    """
    from esus_pipeline.archive import ArchiveError
    from esus_pipeline.connect import archive
    from esus_pipeline.control.savings import by_day, by_room, evidence
    from esus_pipeline.frames import SAVINGS
    from esus_pipeline.quality.command import since as instant
    from esus_pipeline.site import load_site

    now = datetime.now(UTC)
    try:
        settings = Settings.from_env()
        site = load_site(settings.site)
        rows = archive(settings).read(SAVINGS, instant(since, now), now)
    except (SettingsError, ArchiveError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if len(rows):
        click.echo((by_room if rooms else by_day)(rows, site.tariffs.currency) + "\n")
    click.echo(evidence(site, rows).sentence)
