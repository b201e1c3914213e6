"""What comfort costs: the same controllers with a wider or narrower comfort band, scored against the site's own band.

Belongs here: the runs of the front and its picture. Does not belong here: the controllers and the figures.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from esus_pipeline.control.evaluation.loop import close_loop
from esus_pipeline.control.evaluation.score import score
from esus_pipeline.control.evaluation.study import CONTROLLERS, make_plant
from esus_pipeline.report.chart import Tick, value_axis
from esus_pipeline.report.render import ENVIRONMENT
from esus_pipeline.site import Site

STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500)
LEFT, RIGHT, TOP, BOTTOM = 64, 600, 40, 330
COLOURS = ("#b45309", "#1d4ed8", "#047857", "#7c3aed")
NEAR = 14.0
"""Dots that are nearer to each other than this share a label."""


@dataclass(frozen=True)
class Point:
    """One controller with the occupied band `width` kelvin wider on both sides."""

    controller: str
    width: float
    cost: float
    """Of heating and cooling, in the site's currency."""
    discomfort: float
    """K h outside the site's own occupied band in working hours, all rooms."""
    shaded_share: float


def front(
    plant: str,
    controllers: Sequence[str],
    start: datetime,
    days: float,
    seed: int,
    widths: Sequence[float],
    teach: float = 0.0,
    say: Callable[[str], None] = lambda line: None,
) -> list[Point]:
    """Close the loop once per controller and width, each after `teach` days under the tuned rule to learn from.

    StudyError and PlantError say what is wrong.
    """
    made, points = make_plant(plant), []
    for name in controllers:
        for width in widths:
            controller = CONTROLLERS[name](widened(made.site, width))
            found = score(close_loop(made, controller, name, start, days, seed, teach=teach))
            points.append(Point(name, width, found.cost, found.discomfort, found.shaded_share))
            say(f"{name} {width:+.2f} K: cost {found.cost:.2f}, {found.discomfort:.2f} K h")
    return points


def widened(site: Site, width: float) -> Site:
    """The site with an occupied band that is wider by `width` K on both sides, within the unoccupied one."""
    work, idle = site.comfort.occupied, site.comfort.unoccupied
    low, high = max(work.low - width, idle.low), min(work.high + width, idle.high)
    band = work.model_copy(update={"low": low, "high": high})
    return site.model_copy(update={"comfort": site.comfort.model_copy(update={"occupied": band})})


def front_table(points: Sequence[Point]) -> str:
    """The points in lines for a terminal."""
    lines = [f"{'controller':<12}{'band K':>8}{'cost':>10}{'K h':>8}{'shaded':>8}"]
    lines += [
        f"{p.controller:<12}{p.width:>+8.2f}{p.cost:>10.2f}{p.discomfort:>8.2f}{p.shaded_share:>8.2f}" for p in points
    ]
    return "\n".join(lines) + "\n"


def front_picture(site: Site, points: Sequence[Point], title: str) -> str:
    """SVG: discomfort to the right, cost upwards, a line per controller through its widths."""
    x = value_axis([0.0, *(point.discomfort for point in points)], STEPS, RIGHT, LEFT, most=8)
    y = value_axis([0.0, *(point.cost for point in points)], STEPS, TOP, BOTTOM, most=6)
    curves = []
    for number, name in enumerate(dict.fromkeys(point.controller for point in points)):
        own = sorted((point for point in points if point.controller == name), key=lambda point: point.width)
        dots = [(x.place(point.discomfort), y.place(point.cost), point.width) for point in own]
        colour = COLOURS[number % len(COLOURS)]
        curves.append({"name": name, "colour": colour, "dots": dots, "labels": _labels(dots, below=number % 2 == 1)})
    ticks: dict[str, list[Tick]] = {"x": x.ticks, "y": y.ticks}
    drawn = ENVIRONMENT.get_template("front.svg").render(
        title=title, curves=curves, ticks=ticks, currency=site.tariffs.currency,
        left=LEFT, right=RIGHT, top=TOP, bottom=BOTTOM,
    )  # fmt: skip
    return str(Markup(drawn))  # noqa: S704  # rendered with escaping on


def _labels(dots: Sequence[tuple[float, float, float]], below: bool) -> list[tuple[float, float, str]]:
    """(x, y, text) of the widths of dots (x, y, width), one for those that lie on each other."""
    groups: list[list[tuple[float, float, float]]] = []
    for dot in dots:
        if groups and max(abs(dot[0] - groups[-1][0][0]), abs(dot[1] - groups[-1][0][1])) < NEAR:
            groups[-1].append(dot)
        else:
            groups.append([dot])
    return [
        (group[0][0] + 7, group[0][1] + (15 if below else -6), ", ".join(f"{width:+g}" for *_, width in group) + " K")
        for group in groups
    ]
