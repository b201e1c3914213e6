"""A study in words: one table for the terminal, one JSON document for machines.

Belongs here: choice and order of the figures. Does not belong here: the page with plots (see page).
"""

import math
from typing import Any

from esus_pipeline.control.evaluation.study import Study

COLUMNS = (
    ("heat_kwh", "heat kWh", 1),
    ("cooling_kwh", "cool kWh", 1),
    ("lighting_kwh", "light kWh", 1),
    ("cost", "cost", 2),
    ("cost_with_lights", "+lights", 2),
    ("weighed", "weighed", 2),
    ("discomfort_over", "over K h", 2),
    ("discomfort_under", "under K h", 2),
    ("felt_discomfort", "felt K h", 2),
    ("co2_hours", "CO2 h", 1),
    ("moves", "moves", 2),
    ("shaded_share", "shaded", 3),
    ("glare_hours", "glare h", 2),
    ("violations", "viol.", 0),
    ("solve_p95", "p95 s", 2),
    ("solve_max", "max s", 2),
)
"""(figure, heading, decimals) in the order of the table."""
CAPTURED = ("cost", "weighed")
"""Figures of which the share of the saving that is captured ends a line."""


def table(study: Study) -> str:
    """The study as text: a block a season, a line a controller, means per run; then all seasons."""
    lines = [
        f"{study.plant}, {study.site.title}: means per run of {study.days:g} days, cost in "
        f"{study.site.tariffs.currency} of heating and cooling"
    ]
    heads = "".join(f"{heading:>10}" for _, heading, _ in COLUMNS)
    for season in [*study.seasons, None] if len(study.seasons) > 1 else study.seasons:
        count = len({(r.start, r.seed) for r in study.results if season in (None, r.season)})
        lines += [
            "",
            f"{season or 'all'} ({count} run{'' if count == 1 else 's'})",
            f"{'':<12}{heads}{'/tuned':>8}{'/sg01':>8}{'captured':>11}{'of weighed':>11}",
        ]
        lines += [_line(study, season, controller) for controller in study.controllers]
    if study.faults:
        lines += ["", f"{len(study.faults)} violations, the first of them:", *study.faults[:5]]
    return "\n".join(lines) + "\n"


def _line(study: Study, season: str | None, controller: str) -> str:
    mean = study.mean(season, controller)
    cells = "".join(_cell(mean.get(name), decimals, 10) for name, _, decimals in COLUMNS)
    ratios = [study.cost(season, controller) / (study.cost(season, other) or math.nan) for other in ("tuned", "sg01")]
    captured = "".join(_cell(study.captured(season, controller, figure), 2, 11) for figure in CAPTURED)
    return f"{controller:<12}{cells}{_cell(ratios[0], 2, 8)}{_cell(ratios[1], 2, 8)}{captured}"


def _cell(value: float | None, decimals: int, width: int) -> str:
    return f"{value:>{width}.{decimals}f}" if value is not None and math.isfinite(value) else f"{'-':>{width}}"


def document(study: Study) -> dict[str, Any]:
    """The study as plain data: every run, the means per season, and the saving captured. What is not known is null."""
    seasons: list[str | None] = [*study.seasons, None]
    plain = {
        "plant": study.plant,
        "site": study.site.name,
        "currency": study.site.tariffs.currency,
        "days": study.days,
        "runs": [
            {
                "controller": result.controller,
                "season": result.season,
                "start": result.start.isoformat(),
                "seed": result.seed,
                **result.score.to_dict(),
            }
            for result in study.results
        ],
        "means": [
            {
                "controller": controller,
                "season": season or "all",
                "captured": study.captured(season, controller),
                "captured_weighed": study.captured(season, controller, "weighed"),
                **study.mean(season, controller),
            }
            for season in seasons
            for controller in study.controllers
        ],
        "violations": study.faults,
    }
    return _finite(plain)


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
