"""A study as one page with plots that needs nothing else: what each controller cost, and how a day went under it.

Belongs here: which curves are drawn. Does not belong here: colours and text (see the template).
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from esus_pipeline.control.evaluation.loop import STEPS_PER_DAY, Run
from esus_pipeline.control.evaluation.report import CAPTURED, COLUMNS
from esus_pipeline.control.evaluation.score import DOWN
from esus_pipeline.control.evaluation.study import Study

WIDTH, LEFT, RIGHT = 720, 84, 708
BAR, GAP = 20, 8
CURVE_TOP, CURVE_BOTTOM = 8, 148
STRIP, SUN_HEIGHT = 16, 34
MARK_WIDTH = 70
"""Room that a day's name needs."""
SHOWN_DAYS = 4
_ENVIRONMENT = Environment(
    loader=PackageLoader("esus_pipeline.control.evaluation", "templates"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class Bar:
    """A controller's cost as a horizontal bar."""

    name: str
    number: int
    top: float
    width: float
    label: str


@dataclass(frozen=True)
class Curve:
    """One controller in the course of some days: temperature as a path, times with the shade down as bars."""

    name: str
    number: int
    path: str
    down: list[tuple[float, float]]
    top: float


@dataclass(frozen=True)
class Course:
    """Some days in one room under every controller."""

    room: str
    title: str
    curves: list[Curve]
    marks: list[tuple[float, str]]
    levels: list[tuple[float, str]]
    band: list[tuple[float, float]]
    band_top: float
    band_height: float
    sun: str
    strips: float
    height: float


@dataclass(frozen=True)
class Block:
    """One season, or all of them."""

    title: str
    runs: int
    bars: list[Bar]
    height: float
    rows: list[tuple[str, list[str]]]
    course: Course | None


def evaluation_page(study: Study) -> str:
    """The page as HTML without references to anything else."""
    seasons: list[str | None] = [*study.seasons, *([None] if len(study.seasons) > 1 else [])]
    return _ENVIRONMENT.get_template("evaluation.html").render(
        study=study,
        heads=[heading for _, heading, _ in COLUMNS] + ["/tuned", "captured", "of weighed"],
        blocks=[_block(study, season) for season in seasons],
        width=WIDTH,
        left=LEFT,
        right=RIGHT,
        bar=BAR,
        strip=STRIP - 4,
        top=CURVE_TOP,
        bottom=CURVE_BOTTOM,
    )


def _block(study: Study, season: str | None) -> Block:
    costs = {name: study.cost(season, name) for name in study.controllers}
    most = max((cost for cost in costs.values() if math.isfinite(cost)), default=1.0) or 1.0
    bars = [
        Bar(name, number, place * (BAR + GAP), max(0.0, (RIGHT - LEFT - 60) * cost / most), f"{cost:.1f}")
        for place, (number, (name, cost)) in enumerate(enumerate(costs.items()))
    ]
    runs = len({(r.start, r.seed) for r in study.results if season in (None, r.season)})
    shown = [run for run in study.shown if _season(study, run) == season]
    return Block(
        title=season or "all seasons",
        runs=runs,
        bars=bars,
        height=len(bars) * (BAR + GAP),
        rows=[(name, _cells(study, season, name)) for name in study.controllers],
        course=_course(shown) if shown else None,
    )


def _season(study: Study, run: Run) -> str:
    return next(r.season for r in study.results if (r.start, r.seed) == (run.start, run.seed))


def _cells(study: Study, season: str | None, name: str) -> list[str]:
    mean = study.mean(season, name)
    cells = [_number(mean.get(figure, math.nan), decimals) for figure, _, decimals in COLUMNS]
    tuned = study.cost(season, "tuned")
    ratio = study.cost(season, name) / tuned if tuned else math.nan
    return [*cells, _number(ratio, 2), *(_number(study.captured(season, name, figure), 2) for figure in CAPTURED)]


def _number(value: float, decimals: int) -> str:
    return f"{value:.{decimals}f}" if math.isfinite(value) else ""


def _course(runs: Sequence[Run]) -> Course:
    """The first days from the first working day on, in the site's first room with a shade."""
    site, rows = runs[0].site, runs[0].rows
    room = next((r.id for r in site.rooms if any(w.shade for w in r.windows)), site.rooms[0].id)
    first = rows[(rows["room"] == room) & rows["working"]]["time"]
    begin = pd.Timestamp(first.iloc[0] if len(first) else rows["time"].iloc[0]).floor("D")
    tables = [_of_room(run, room, begin) for run in runs]
    axis = _Axis(tables[0]["time"].iloc[0], len(tables[0]))
    low = math.floor(min(table["air"].min() for table in tables) - 0.5)
    high = math.ceil(max(table["air"].max() for table in tables) + 0.5)

    def place(value: float) -> float:
        return round(CURVE_BOTTOM - (value - low) / (high - low) * (CURVE_BOTTOM - CURVE_TOP), 1)

    strips = CURVE_BOTTOM + 16
    curves = [
        Curve(
            run.controller,
            number,
            "M" + " L".join(f"{axis.x(step)},{place(air)}" for step, air in enumerate(table["air"])),
            list(axis.spans(table["shade"] >= DOWN)),
            strips + STRIP * number,
        )
        for number, (run, table) in enumerate(zip(runs, tables, strict=True))
    ]
    sun_bottom = strips + STRIP * len(runs) + SUN_HEIGHT + 4
    band = site.comfort.occupied
    step = 1 if high - low <= 8 else 2
    return Course(
        room=room,
        title=f"Room {room}, seed {runs[0].seed}",
        curves=curves,
        marks=axis.midnights(tables[0]["time"], site.place.timezone),
        levels=[(place(value), f"{value} \N{DEGREE SIGN}C") for value in range(low, high + 1, step)],
        band=list(axis.spans(tables[0]["working"])),
        band_top=place(min(band.high, high)),
        band_height=place(max(band.low, low)) - place(min(band.high, high)),
        sun=_area(axis, tables[0]["irradiance"].fillna(0.0), sun_bottom),
        strips=strips,
        height=sun_bottom + 18,
    )


def _of_room(run: Run, room: str, begin: pd.Timestamp) -> pd.DataFrame:
    rows = run.rows[(run.rows["room"] == room) & (run.rows["time"] >= begin)]
    return rows.head(SHOWN_DAYS * STEPS_PER_DAY).reset_index(drop=True)


@dataclass(frozen=True)
class _Axis:
    """Steps from left to right."""

    start: pd.Timestamp
    steps: int

    def x(self, step: float) -> float:
        return round(LEFT + step / self.steps * (RIGHT - LEFT), 1)

    def spans(self, flags: "pd.Series[bool]") -> Iterable[tuple[float, float]]:
        """(left, width) of each stretch of True."""
        edges = flags.astype(int).diff().fillna(int(flags.iloc[0]))
        starts, ends = edges.index[edges == 1].tolist(), edges.index[edges == -1].tolist()
        for start, end in zip(starts, [*ends, self.steps][: len(starts)], strict=True):
            yield self.x(start), round(self.x(end) - self.x(start), 1)

    def midnights(self, times: "pd.Series[pd.Timestamp]", zone: str) -> list[tuple[float, str]]:
        local = times.dt.tz_convert(zone)
        at = local.index[(local.dt.hour == 0) & (local.dt.minute == 0)]
        days = [(self.x(step), f"{local[step]:%a %d %b}") for step in at]
        return [(x, name if x + MARK_WIDTH <= WIDTH else "") for x, name in days]


def _area(axis: _Axis, sun: "pd.Series[float]", bottom: float) -> str:
    """Sun on the facade as a filled path, full height at 900 W/m2."""
    points = " L".join(f"{axis.x(step)},{bottom - min(v / 900, 1) * SUN_HEIGHT:.1f}" for step, v in enumerate(sun))
    return f"M{LEFT},{bottom} L{points} L{axis.x(len(sun))},{bottom} Z"
