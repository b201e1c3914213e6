"""Adding days up: what the plan saved so far, how sure that is, and whether it is enough to say so.

Interval: 5th to 95th percentile over resampled histories. Days come in blocks of BLOCK in a row (circular moving block
bootstrap, Politis & Romano 1992), because the weather of one day is like that of the next; for each of them one of the
models that the readings leave open is drawn, the same for all its days.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from esus_pipeline.control.inputs import Array
from esus_pipeline.control.savings.outcome import LEFT_OUT, Outcome
from esus_pipeline.site import Site

LEAST_DAYS = 10
"""Days that count before anything is claimed: a working week and the days around it, twice."""
BLOCK = 3
"""Days."""
RESAMPLED = 4000


@dataclass(frozen=True)
class Evidence:
    """What some days say together; money in the site's currency, room-days of one day added up."""

    days: int
    """Days on which at least one room counts."""
    room_days: int
    """Rooms and days that count."""
    left_out: Mapping[Outcome, int]
    """Rooms and days that do not, by why."""
    saving: float
    """NaN where no day counts, as in all that follow."""
    low: float
    """5th percentile."""
    high: float
    """95th percentile."""
    baseline_cost: float
    discomfort: float
    """K h of the plan less those of the baseline."""
    enough: bool
    """Whether a saving (or a loss) is shown: enough days, and an interval without zero."""
    sentence: str
    """For a person."""


def evidence(site: Site, rows: pd.DataFrame) -> Evidence:
    """What rows of frames.SAVINGS say together, of days on which the plan was carried out or, else, of its advice."""
    kind = Outcome.CARRIED_OUT if site.control.mode == "active" else Outcome.ADVICE
    counted = rows[rows["outcome"] == kind]
    why = rows.loc[rows["outcome"].isin([str(each) for each in LEFT_OUT]), "outcome"].value_counts()
    days = counted["day"].nunique()
    low, high = _interval(counted) if days else (np.nan, np.nan)
    found = Evidence(
        days=days,
        room_days=len(counted),
        left_out={Outcome(str(outcome)): int(count) for outcome, count in why.items()},
        saving=_sum(counted["saving"]),
        low=low,
        high=high,
        baseline_cost=_sum(counted["baseline_cost"]),
        discomfort=_sum(counted["plan_discomfort"] - counted["baseline_discomfort"]),
        enough=bool(days >= LEAST_DAYS and (low > 0 or high < 0)),
        sentence="",
    )
    return _with_sentence(found, site, kind)


def _sum(values: "pd.Series[float]") -> float:
    """NaN where there is nothing to add up: no evidence is not a saving of zero."""
    return float(values.sum(min_count=1))


def _interval(counted: pd.DataFrame) -> tuple[float, float]:
    """5th and 95th percentile of the sum over all days."""
    by_day = _draws(counted)
    rng = np.random.default_rng(0)
    days, models = by_day.shape
    blocks = -(-days // BLOCK)
    first = rng.integers(0, days, (RESAMPLED, blocks, 1))
    chosen = ((first + np.arange(BLOCK)) % days).reshape(RESAMPLED, -1)[:, :days]
    model = rng.integers(0, models, (RESAMPLED, 1))
    low, high = np.percentile(by_day[chosen, model].sum(axis=1), [5, 95])
    return float(low), float(high)


def _draws(counted: pd.DataFrame) -> Array:
    """(days, draws) savings of all rooms together, days ascending."""
    parts = [np.array([json.loads(text) for text in own["draws"]]).sum(axis=0) for _, own in counted.groupby("day")]
    return np.array(parts)


def _with_sentence(found: Evidence, site: Site, kind: Outcome) -> Evidence:
    text = _claim(found, site, kind) if found.enough else f"Not enough evidence yet: {_lacking(found, site)}"
    if found.left_out:
        counts = [f"{found.left_out[why]} room-days {told}" for why, told in LEFT_OUT.items() if why in found.left_out]
        text += f" Left out: {', '.join(counts)}."
    if kind is Outcome.ADVICE:
        text += " Nothing carries the plan out (control.mode is advisory), so days count as advice."
    return replace(found, sentence=text)


def _claim(found: Evidence, site: Site, kind: Outcome) -> str:
    sign, verb = (1, "saved") if found.low > 0 else (-1, "cost more by")
    low, high = sorted((sign * found.low, sign * found.high))
    who = "The plan" if kind is Outcome.CARRIED_OUT else "Carried out, the plan would have"
    share = f", {found.saving / found.baseline_cost:.0%} of the cost without it" if sign > 0 else ""
    return (
        f"{who} {verb} {sign * found.saving:.2f} {site.tariffs.currency} ({low:.2f} to {high:.2f}, 90 % interval) "
        f"in {found.days} days{share}; discomfort {found.discomfort:+.1f} K h."
    )


def _lacking(found: Evidence, site: Site) -> str:
    if found.days < LEAST_DAYS:
        return f"{found.days} of at least {LEAST_DAYS} days count."
    return (
        f"the saving of {found.days} days lies between {found.low:.2f} and {found.high:.2f} {site.tariffs.currency} "
        "(90 % interval), which may be none."
    )
