"""`esus release ROOM`: a shade that was moved by hand goes back to the plan at once."""

from datetime import UTC, datetime

import click


@click.command()
@click.argument("rooms", nargs=-1, required=True)
def release(rooms: tuple[str, ...]) -> None:
    """Give the shades of ROOMS back to the plan. It takes effect with the next plan, within 15 minutes."""
    import pandas as pd

    from esus_pipeline.archive import ArchiveError
    from esus_pipeline.connect import archive
    from esus_pipeline.frames import OVERRIDE_RELEASE
    from esus_pipeline.settings import Settings, SettingsError
    from esus_pipeline.site import load_site

    try:
        settings = Settings.from_env()
        site = load_site(settings.site)
        unknown = [room for room in rooms if room not in site.room_ids]
        if unknown:
            raise click.ClickException(f"no room {unknown[0]!r}; there are {', '.join(site.room_ids)}")
        rows = pd.DataFrame({"released_at": datetime.now(UTC), "room": list(rooms)})
        archive(settings).merge(OVERRIDE_RELEASE, OVERRIDE_RELEASE.conform(rows))
    except (ArchiveError, SettingsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"Released: {', '.join(rooms)}. The next plan moves them.")
