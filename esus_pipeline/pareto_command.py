"""`esus pareto`: what comfort costs, as one table and one plot."""

from datetime import datetime
from pathlib import Path

import click

TEACH = click.option(
    "--teach",
    type=click.FloatRange(min=0),
    default=14.0,
    show_default=True,
    help="Days under the tuned rule before each run; `optimal` learns the rooms and their people from them.",
)
"""An option of every command that closes the loop."""
WIDTHS = (-1.0, -0.5, 0.0, 0.5, 1.0)


@click.command()
@click.option("--plant", default="rc", show_default=True, help="rc, energyplus, or module:Class of your own.")
@click.option("--controllers", default="tuned,optimal", show_default=True, help="Names joined by commas.")
@click.option("--start", type=click.DateTime(("%Y-%m-%d",)), required=True, help="First day.")
@click.option("--days", type=click.FloatRange(min=0.25), default=3.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option(
    "--width", "widths", type=float, multiple=True, default=WIDTHS, show_default=True, help="Band wider by so many K."
)
@TEACH
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), required=True, help="FILE.svg.")
def pareto(
    plant: str,
    controllers: str,
    start: datetime,
    days: float,
    seed: int,
    widths: tuple[float, ...],
    teach: float,
    output: Path,
) -> None:
    """Draw the front of cost against comfort: the loop is closed with wider and narrower comfort bands."""
    from datetime import UTC
    from functools import partial

    from esus_pipeline.control.evaluation.command import FAILURES
    from esus_pipeline.control.evaluation.pareto import front, front_picture, front_table
    from esus_pipeline.control.evaluation.study import CONTROLLERS, make_plant

    names = [name.strip() for name in controllers.split(",") if name.strip()]
    unknown = [name for name in names if name not in CONTROLLERS]
    if unknown:
        raise click.ClickException(f"no controller {unknown[0]!r}; there are {', '.join(CONTROLLERS)}")
    try:
        site = make_plant(plant).site
        say = partial(click.echo, err=True)
        points = front(plant, names, start.replace(tzinfo=UTC), days, seed, widths, teach, say)
    except FAILURES as error:
        raise click.ClickException(str(error)) from None
    title = f"{plant}, {days:g} day{'' if days == 1 else 's'} from {start:%Y-%m-%d}: comfort band wider by ..."
    output.write_text(front_picture(site, points, title), encoding="utf-8")
    click.echo(front_table(points), nl=False)
