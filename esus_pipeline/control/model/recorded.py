"""Models of a building from a file of its readings: learned on the first days, scored on those that follow.

The way from readings to room table is the pipeline's own, so that what is scored is what would run.
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pandas as pd

from esus_pipeline.control.model.arx import Arx
from esus_pipeline.control.model.history import gains_of_the_past, weather_of_the_past
from esus_pipeline.control.model.identification import Identified, identify
from esus_pipeline.control.model.past import Past
from esus_pipeline.control.model.room_model import Array
from esus_pipeline.control.model.score import HOURS, Score, score
from esus_pipeline.frames import RAW_BMS_READINGS, SOLAR_GAIN, STEP, WEATHER_FORECAST
from esus_pipeline.readings import clean, room_table
from esus_pipeline.site import Site


@dataclass(frozen=True)
class Scored:
    """One room: what was learned and how it predicts the days after."""

    room: str
    learned: Identified
    score: Score
    blind_effect: tuple[float, float, float]
    """5th percentile, value and 95th percentile of the sun that closed shades keep out, as a share of what comes in."""


def past_of(site: Site, readings: pd.DataFrame) -> Past:
    """The past that a recording tells: columns external_log_id, timestamp (UTC), value. Its sun must be measured."""
    raw = readings.rename(columns={"external_log_id": "point_id"}).assign(received_at=readings["timestamp"])
    start = raw["timestamp"].min().floor("D").to_pydatetime()
    end = raw["timestamp"].max().floor("D").to_pydatetime() + timedelta(days=1)
    series = clean(site, RAW_BMS_READINGS.conform(raw), None, end)
    rooms = room_table(site, series, start, end)
    weather = weather_of_the_past(site, rooms, WEATHER_FORECAST.empty())
    return Past.of(site, rooms, weather, gains_of_the_past(site, weather, SOLAR_GAIN.empty()))


def score_recording(site: Site, file: Path, taught_days: int = 14, scored_days: int = 14) -> list[Scored]:
    """Learn each room on the first days and predict the next, of which nothing is used for learning.

    ValueError where the recording cannot be used, TooLittleDataError where it is too short.
    """
    past = past_of(site, pd.read_parquet(file))
    first, last = taught_days * 96, (taught_days + scored_days) * 96
    taught = past.before(past.grid[0] + first * STEP)
    scored = []
    for room in site.room_ids:
        history = past.history(room)
        if history is None:
            raise ValueError(f"room {room}: the recording holds nothing of it")
        learned = identify(taught.prior(room), history.part(0, first))
        judged = score(learned.model, history.part(0, last), first, Arx.fit(history.part(0, first)))
        scored.append(Scored(room, learned, judged, _blind_effect(site, learned)))
    return scored


def _blind_effect(site: Site, learned: Identified) -> tuple[float, float, float]:
    """1 - sun with closed shades / sun with open ones, from the estimate's ratio and the learned factors."""
    room = site.room(learned.model.room)
    glass = sum(window.area * window.g_value for window in room.windows)
    closed = sum(window.area * site.shades[window.shade].g_tot for window in room.windows if window.shade)
    open_, shaded = learned.draws["k_open"], learned.draws["k_shaded"]
    low, high = _percentiles(1 - shaded / open_ * closed / glass)
    return low, 1 - learned.model.k_shaded / learned.model.k_open * closed / glass, high


def _percentiles(values: Array) -> tuple[float, float]:
    series = pd.Series(values)
    return float(series.quantile(0.05)), float(series.quantile(0.95))


def table(scored: list[Scored]) -> str:
    """The scores in words: errors in K, hours ahead across."""
    lines = [f"{'room':<12}{'':<14}" + "".join(f"{hours:>4} h" for hours in HOURS)]
    for each in scored:
        kinds = {"model": each.score.model, "persistence": each.score.persistence}
        kinds |= {"black box": each.score.black_box} if each.score.black_box else {}
        for kind, errors in kinds.items():
            lines.append(f"{each.room:<12}{kind:<14}" + "".join(f"{errors[hours]:6.2f}" for hours in HOURS))
        low, value, high = each.blind_effect
        lines.append(f"{'':<12}closed shades keep out {value:.0%} of the sun (90 % interval {low:.0%} to {high:.0%})")
        unknown = ", ".join(each.learned.model.unknown) or "none"
        lines.append(f"{'':<12}{max(each.score.count.values())} predictions; the readings cannot tell: {unknown}")
    return "\n".join(["Root mean square error of the predicted air temperature, K", *lines])
