"""The `esus` command. Thin: every command reads its options, calls one function of the package and prints."""

import os
import sys
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from esus_pipeline.pareto_command import TEACH
from esus_pipeline.settings import Settings, SettingsError

_MARKS = {"ok": "ok      ", "assumed": "assumed ", "warning": "warning ", "failed": "FAILED  "}


class Instant(click.ParamType):
    """An ISO 8601 instant; without a zone it is UTC."""

    name = "time"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """The instant in UTC."""
        try:
            instant = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(f"{value!r} is not ISO 8601, such as 2026-06-21T10:00", param, ctx)
        return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


INSTANT = Instant()


class TableFile(click.Path):
    """A file to write a table to, refused before the work where it could not be written."""

    name = "file"

    def __init__(self) -> None:
        super().__init__(dir_okay=False, writable=True, path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Path:
        """The path, with an ending that is known and in a folder that exists."""
        from esus_pipeline.export import ExportError, check_file

        file = Path(os.fsdecode(super().convert(value, param, ctx)))
        try:
            check_file(file)
        except ExportError as error:
            self.fail(str(error), param, ctx)
        return file


TABLE_FILE = TableFile()
_NEW_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


_ELSEWHERE = {
    "commission": "esus_pipeline.model_command",
    "influx": "esus_pipeline.influx.command",
    "models": "esus_pipeline.model_command",
    "pareto": "esus_pipeline.pareto_command",
    "release": "esus_pipeline.release_command",
    "savings": "esus_pipeline.savings_command",
    "simulate": "esus_pipeline.simulator.command",
}
"""Command -> module that holds it under the same name."""


class _LazyGroup(click.Group):
    """Loads the commands of other modules only when they are asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *_ELSEWHERE])

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _ELSEWHERE:
            command: click.Command = getattr(import_module(_ELSEWHERE[cmd_name]), cmd_name)
            return command
        return super().get_command(ctx, cmd_name)


@click.group(cls=_LazyGroup)
@click.version_option(package_name="esus-pipeline")
def main() -> None:
    """Building readings and weather forecasts become a shade and setpoint schedule per room.

    Settings come from environment variables (see .env.example). Times are UTC unless they carry a zone.
    """


@main.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(".esus"),
    show_default=True,
    help="Folder for everything that the demo keeps.",
)
@click.option(
    "--once", is_flag=True, help="Stop when the first load has ended; the exit status says whether all is green."
)
def demo(home: Path, once: bool) -> None:
    """Run the whole system on this machine, offline, with the building's twin.

    Starts the twin, Dagster with its daemon, and the plan page; loads yesterday and today; prints where to look. From
    then on every quarter of an hour is materialised by itself. Ctrl-C stops everything.
    """
    from esus_pipeline.demo.supervisor import StartError
    from esus_pipeline.demo.system import run_demo

    try:
        sys.exit(run_demo(home, once))
    except KeyboardInterrupt:
        click.echo("Stopped.")
    except StartError as error:
        raise click.ClickException(str(error)) from None


@main.command()
def doctor() -> None:
    """Check site, folders, credentials, reachability, clock and disk; say what to do about each fault.

    The exit status is 1 when something failed. Lines marked `assumed` name numbers of the site that are guesses.
    """
    from esus_pipeline.doctor import examine

    failed = False
    for finding in examine(_settings()):
        click.echo(f"{_MARKS[finding.level]}{finding.subject:<10}{finding.message}")
        failed |= finding.level == "failed"
    sys.exit(1 if failed else 0)


@main.command()
@click.option("--start", type=INSTANT, required=True, help="First instant, such as 2026-06-21T00:00.")
@click.option("--end", type=INSTANT, required=True, help="End, not included.")
@click.option(
    "--point", "points", type=int, multiple=True, help="A point id; may be repeated. Default: all of the site."
)
@click.option("-o", "--output", type=TABLE_FILE, required=True, help="FILE.parquet or FILE.csv.")
def fetch(start: datetime, end: datetime, points: tuple[int, ...], output: Path) -> None:
    """Read a span of readings from the building into a file, without Dagster.

    What is refused goes to OUTPUT.rejected.csv with the reason.
    """
    import pandas as pd

    from esus_pipeline.bms import BmsClient, BmsError
    from esus_pipeline.connect import bms_config
    from esus_pipeline.export import write
    from esus_pipeline.site import load_site

    _check_span(start, end)
    settings = _settings()
    try:
        site, spans = load_site(settings.site), _day_spans(start, end)
        with BmsClient(bms_config(settings, site)) as client, click.progressbar(spans, label="reading") as bar:
            polls = [client.read(points or site.point_ids, *span) for span in bar]
        write(pd.concat([poll.readings for poll in polls], ignore_index=True), output)
    except (BmsError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    rejected = pd.concat([poll.rejected for poll in polls], ignore_index=True)
    refused = Path(f"{output}.rejected.csv")
    refused.unlink(missing_ok=True)
    if len(rejected):
        write(rejected, refused)
    failed = {point: why for poll in polls for point, why in poll.failed.items()}
    for point, why in failed.items():
        click.echo(f"point {point} could not be read: {why}", err=True)
    click.echo(
        f"{sum(len(poll.readings) for poll in polls)} readings, {len(rejected)} rejected, {len(failed)} points failed"
    )
    sys.exit(1 if failed else 0)


@main.command()
@click.argument("asset")
@click.option("--start", type=INSTANT, required=True, help="First window, such as 2026-06-21T00:00.")
@click.option("--end", type=INSTANT, required=True, help="End, not included.")
@click.option("-o", "--output", type=TABLE_FILE, required=True, help="FILE.parquet or FILE.csv.")
def export(asset: str, start: datetime, end: datetime, output: Path) -> None:
    """Write an asset's rows to a file.

    ASSET is raw_bms_readings, clean_series, point_states, gaps, room_table, room_sources, weather_forecast, solar_gain,
    solar_gain_pane, occupancy_forecast, room_models, electricity_price, optimal_plan, shade_setpoint_schedule,
    decision_trace, savings or quarantine. The span names windows: readings, rooms and prices are the rows of those
    windows, models those of the nights that end in it, savings those of the days that begin in it; forecasts, gains,
    optima, plans and their traces are what was in force in them, each issue as a whole.
    """
    from esus_pipeline.archive import ArchiveError
    from esus_pipeline.connect import archive
    from esus_pipeline.export import TABLES, table, write
    from esus_pipeline.site import load_site

    if asset not in TABLES:
        raise click.ClickException(f"{asset!r} is not one of {', '.join(TABLES)}")
    _check_span(start, end)
    settings = _settings()
    try:
        rows = table(archive(settings), load_site(settings.site), asset, start, end)
        write(rows, output)
    except (ArchiveError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(f"{len(rows)} rows of {asset} to {output}")


@main.command()
@click.option("--at", type=INSTANT, default=None, help="The plan in force then; default is now.")
def plan(at: datetime | None) -> None:
    """Print today's plan for every room, and why, in words, and how it was decided what the shades are told.

    Of each decision: the rules that asked for something, what is held, the inputs, how old they were, and which log
    of a sensor stood in for a better one.
    """
    from esus_pipeline.archive import ArchiveError
    from esus_pipeline.connect import archive
    from esus_pipeline.export import table
    from esus_pipeline.report import plan_words
    from esus_pipeline.site import load_site

    settings, instant = _settings(), at or datetime.now(UTC)
    try:
        site = load_site(settings.site)
        plans, traces = (
            table(archive(settings), site, name, instant, instant)
            for name in ("shade_setpoint_schedule", "decision_trace")
        )
    except (ArchiveError, ValueError) as error:
        raise click.ClickException(str(error)) from None
    if plans.empty:
        raise click.ClickException(
            f"No plan of the two days before {instant:%Y-%m-%d %H:%M} UTC in {settings.data_dir}; "
            "is ESUS_DATA_DIR right?"
        )
    newest = plans["issued_at"].max()
    told, trace = (rows[rows["issued_at"] == newest] for rows in (plans, traces))
    click.echo(plan_words(site, told, instant, trace), nl=False)


@main.command()
@click.option("--plant", default="rc", show_default=True, help="rc, energyplus, or module:Class of your own.")
@click.option(
    "--controllers",
    default="sg01,tuned,optimal",
    show_default=True,
    help="Names joined by commas: sg01, tuned, optimal, foresight, or module:Class of your own.",
)
@click.option("--start", "starts", type=INSTANT, multiple=True, required=True, help="First day; may be repeated.")
@click.option(
    "--days", type=click.FloatRange(min=0, min_open=True), default=7.0, show_default=True, help="Of each run."
)
@click.option("--seed", "seeds", type=int, multiple=True, default=(1,), show_default=True, help="May be repeated.")
@TEACH
@click.option("--epw", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Weather of an EPW file.")
@click.option("--json", "json_file", type=_NEW_FILE, help="Write every figure here.")
@click.option("--html", "html_file", type=_NEW_FILE, help="Write one page with plots here.")
@click.option("--quiet", is_flag=True, help="Do not tell of each run.")
def evaluate(
    plant: str,
    controllers: str,
    starts: tuple[datetime, ...],
    days: float,
    seeds: tuple[int, ...],
    teach: float,
    epw: Path | None,
    json_file: Path | None,
    html_file: Path | None,
    quiet: bool,
) -> None:
    """Close the loop: run controllers on a plant, with forecasts that err, and print what each was worth.

    The same seeds give the same figures, but for times. See docs/evaluation.md.
    """
    from esus_pipeline.control.evaluation.command import FAILURES
    from esus_pipeline.control.evaluation.command import evaluate as run

    names = [name.strip() for name in controllers.split(",") if name.strip()]
    try:
        say = (lambda line: None) if quiet else (lambda line: click.echo(line, err=True))
        click.echo(run(plant, names, starts, days, seeds, json_file, html_file, epw, say, teach), nl=False)
    except FAILURES as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--test", is_flag=True, help="Send a test message through every channel.")
def alerts(test: bool) -> None:
    """What is wrong, who was told, and which messages still wait."""
    from esus_pipeline.alerts.command import FAILURES, run

    try:
        click.echo(run(_settings(), test, datetime.now(UTC)))
    except FAILURES as error:
        raise click.ClickException(str(error)) from None


@main.command()
@click.option("--since", default="7d", show_default=True, help="36h, 7d, 2w, or an instant such as 2026-06-21T00:00.")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), help="Write the report to this file, too.")
def quality(since: str, html: Path | None) -> None:
    """Which points are silent, late, stuck or absurd, since when, how sure that is, and what was lost.

    What a plan was made with instead of them is told by `esus plan --at TIME`.
    """
    from esus_pipeline.quality.command import FAILURES, run

    try:
        click.echo(run(_settings(), since, html, datetime.now(UTC)), nl=False)
    except FAILURES as error:
        raise click.ClickException(str(error)) from None


@main.command()
def recover() -> None:
    """Mark runs as failed whose process is gone. Call it before a code server starts, never beside a running one."""
    import dagster as dg

    from esus_pipeline.defs.recovery import fail_orphaned_runs, note_failures_from_now_on

    if not os.environ.get("DAGSTER_HOME"):
        raise click.ClickException("DAGSTER_HOME is not set; set it to the folder that holds dagster.yaml")
    with dg.DagsterInstance.get() as instance:
        note_failures_from_now_on(instance)
        failed = fail_orphaned_runs(instance)
    click.echo(f"{len(failed)} runs had lost their process")


@main.command()
def counts() -> None:
    """Print how many rows each table of the archive has."""
    from esus_pipeline.connect import archive
    from esus_pipeline.counts import rows_of_tables

    for name, rows in rows_of_tables(archive(_settings())).items():
        click.echo(f"{name} {rows}")


def _settings() -> Settings:
    try:
        return Settings.from_env()
    except SettingsError as error:
        raise click.ClickException(str(error)) from None


def _check_span(start: datetime, end: datetime) -> None:
    if end <= start:
        raise click.ClickException("--end must be after --start")


def _day_spans(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    """The span cut into days; the last one is longer where its rest would be too short to ask for."""
    from esus_pipeline.frames import STEP

    edges = [start]
    while edges[-1] + timedelta(days=1) + STEP <= end:
        edges.append(edges[-1] + timedelta(days=1))
    return list(zip(edges, [*edges[1:], end], strict=True))


if __name__ == "__main__":
    main()
