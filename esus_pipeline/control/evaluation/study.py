"""Controllers x starts x seeds on one plant: the runs, and their figures season by season.

Belongs here: which runs a study is made of and how they are put together. Does not belong here: how it is shown.
"""

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np

from esus_pipeline.control.evaluation.loop import STEPS_PER_DAY, Run, close_loop, live_before
from esus_pipeline.control.evaluation.optimal import Optimal
from esus_pipeline.control.evaluation.protocol import Bounded, Controller, Foresight, Plant
from esus_pipeline.control.evaluation.rules import Sg01, Tuned
from esus_pipeline.control.evaluation.score import Score, score
from esus_pipeline.site import Site

PLANTS = {
    "rc": "esus_pipeline.plants.rc:RcPlant",
    "energyplus": "esus_pipeline.plants.energyplus:EnergyPlusPlant",
}
"""Short names of the plants that come with the package."""
CONTROLLERS: dict[str, Callable[[Site], Controller]] = {
    "sg01": Sg01,
    "tuned": Tuned,
    "optimal": Optimal,
    "foresight": Optimal,
}
"""Controllers by name. `foresight` is `optimal` with the truth for a forecast, on plants that can tell it."""
BOUND = "bound"
"""The name under which a plant's least cost stands in the tables."""
MOVES_ALLOWED = 2.0
"""Moves of a shade per room and day, on average; the bound keeps this limit, too."""
VIEW_ALLOWANCE = 0.05
"""Share of the working hours that a shade may be down more than under the tuned rule; the bound keeps it too."""
LEAST_SAVING = 0.01
"""Between rule and bound, a run, in the site's currency; shares of less say nothing."""
_SEASONS = {12: "winter", 1: "winter", 2: "winter", 3: "spring", 4: "spring", 5: "spring"} | {
    6: "summer", 7: "summer", 8: "summer", 9: "autumn", 10: "autumn", 11: "autumn"
}  # fmt: skip


class StudyError(ValueError):
    """A study that cannot be made; the message says what to change."""


@dataclass(frozen=True)
class Result:
    """One run's figures."""

    controller: str
    season: str
    start: datetime
    seed: int
    score: Score


@dataclass
class Study:
    """All results so far, and the runs of the first seed for the plots."""

    plant: str
    site: Site
    days: float
    teach: float
    """Days before each run in which the plant was under the tuned rule."""
    results: list[Result] = field(default_factory=list)
    shown: list[Run] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def of(self, season: str | None, controller: str) -> list[Score]:
        """Scores of one controller in one season, or in all."""
        return [
            result.score
            for result in self.results
            if result.controller == controller and season in (None, result.season)
        ]

    @property
    def seasons(self) -> list[str]:
        """In the order of the starts."""
        return list(dict.fromkeys(result.season for result in self.results))

    @property
    def controllers(self) -> list[str]:
        """In the order of the runs, the bound last."""
        return list(dict.fromkeys(result.controller for result in self.results))

    def mean(self, season: str | None, controller: str) -> dict[str, float]:
        """Each figure's mean over the runs of a season (or of all); the longest decision is the longest of all."""
        scores = [one.to_dict() for one in self.of(season, controller)]
        if not scores:
            return {}
        merged = {name: float(np.mean([one[name] for one in scores])) for name in scores[0]}
        merged["solve_max"] = max(one["solve_max"] for one in scores)
        merged["violations"] = sum(one["violations"] for one in scores)
        return merged

    def cost(self, season: str | None, controller: str) -> float:
        """Mean cost of a run; NaN without one."""
        return self.mean(season, controller).get("cost", float("nan"))

    def captured(self, season: str | None, controller: str, figure: str = "cost") -> float:
        """Share of the saving between the tuned rule and the bound that a controller captures.

        Of `cost`, or of `weighed`. NaN without both, and where there is less than LEAST_SAVING to capture.
        """
        names = ("tuned", controller, BOUND)
        tuned, own, bound = (self.mean(season, name).get(figure, float("nan")) for name in names)
        if controller in ("sg01", "tuned", BOUND) or tuned - bound < LEAST_SAVING:
            return float("nan")
        return (tuned - own) / (tuned - bound)


def run_study(
    name: str,
    controllers: Sequence[str],
    starts: Iterable[datetime],
    days: float,
    seeds: Iterable[int],
    epw: Path | None = None,
    say: Callable[[str], None] = lambda line: None,
    keep: Callable[[Study], None] = lambda study: None,
    teach: float = 0.0,
) -> Study:
    """Every controller from every start for every seed, and the plant's bound where it has one.

    Before each run the plant lives `teach` days under the tuned rule, from which controllers that learn may learn.
    `keep` is called with the study so far after every seed, so that a study that is stopped has not been in vain.

    Raises:
        StudyError: a plant or controller that does not exist, or cannot do what is asked of it.
    """
    plant = make_plant(name, epw)
    makers = {controller: _maker(controller) for controller in dict.fromkeys(controllers)}
    if "foresight" in makers and not isinstance(plant, Foresight):
        raise StudyError(f"plant {name} cannot tell its future, so leave out the controller foresight")
    study = Study(name, plant.site, days, teach)
    seeds = list(seeds)
    for start in starts:
        season = season_of(start)
        for seed in seeds:
            for controller, make in makers.items():
                foresight = controller == "foresight"
                run = close_loop(plant, make(plant.site), controller, start, days, seed, foresight, teach)
                study.results.append(Result(controller, season, start, seed, score(run)))
                study.faults += [f"{controller}, seed {seed}: {fault}" for fault in run.faults]
                if seed == seeds[0]:
                    study.shown.append(run)
                figures = study.results[-1].score
                say(f"{start:%Y-%m-%d} seed {seed} {controller}: cost {figures.cost:.2f}")
            if isinstance(plant, Bounded):
                study.results.append(_bound(plant, study, season, run))
                say(f"{start:%Y-%m-%d} seed {seed} {BOUND}: cost {study.results[-1].score.cost:.2f}")
            keep(study)
    return study


def _bound(plant: Plant, study: Study, season: str, run: Run) -> Result:
    """The least cost at the prices of a run, with the view that the tuned rule leaves, where the tuned rule was run."""
    assert isinstance(plant, Bounded)  # noqa: S101  # for the type checker; the caller has asked
    start, seed = run.start, run.seed
    tuned = [r.score.shaded_share for r in study.results if (r.controller, r.start, r.seed) == ("tuned", start, seed)]
    share = min(1.0, tuned[0] + VIEW_ALLOWANCE) if tuned and np.isfinite(tuned[0]) else 1.0
    live_before(plant, start, seed, study.teach)
    least = plant.bound(round(study.days * STEPS_PER_DAY), run.prices, share, MOVES_ALLOWED)
    fields: Mapping[str, float] = {
        name: least[name] for name in ("cost", "weighed", "heat_kwh", "cooling_kwh") if name in least
    }
    return Result(BOUND, season, start, seed, Score(**fields))


def season_of(start: datetime) -> str:
    """The meteorological season of a start, northern half."""
    return _SEASONS[start.month]


def make_plant(name: str, epw: Path | None = None) -> Plant:
    """The plant of a short name or of module:Class, made with `epw` where that is given."""
    plant: Any = _named(PLANTS.get(name, name), f"plant {name!r}; there are {', '.join(PLANTS)} and any module:Class")
    if epw is None:
        made = plant()
    elif "epw" not in signature(plant).parameters:
        raise StudyError(f"plant {name} takes no weather file; leave out --epw")
    else:
        made = plant(epw=epw)
    missing = [part for part in ("site", "reset", "step", "observe") if not hasattr(made, part)]
    if missing:
        raise StudyError(f"{name} is no plant: it has no {', '.join(missing)}; see docs/evaluation.md")
    return made


def _maker(name: str) -> Callable[[Site], Controller]:
    if name in CONTROLLERS:
        return CONTROLLERS[name]
    known = ", ".join(CONTROLLERS)
    made: Callable[[Site], Controller] = _named(name, f"controller {name!r}; there are {known} and any module:Class")
    return made


def _named(path: str, what: str) -> Any:
    """What module:Name points at; StudyError for what does not exist."""
    module, separator, attribute = path.partition(":")
    if not separator:
        raise StudyError(f"no {what}")
    try:
        return getattr(importlib.import_module(module), attribute)
    except ModuleNotFoundError as error:
        raise StudyError(f"no {what} ({error})") from error
    except AttributeError as error:
        raise StudyError(f"no {what}: module {module} has no {attribute}") from error
