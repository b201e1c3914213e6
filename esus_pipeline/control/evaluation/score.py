"""What a run was worth: energy, cost, comfort, view and safety in figures that can be compared.

Belongs here: the definitions of the figures. Does not belong here: how they are shown (see report).
"""

from dataclasses import asdict, dataclass
from datetime import timedelta

import numpy as np
import pandas as pd

from esus_pipeline.control.evaluation.loop import Run
from esus_pipeline.control.evaluation.protocol import GLARE_ABOVE, NAN
from esus_pipeline.control.optimiser.assemble import DIM_SHARE, GLOOM
from esus_pipeline.frames import STEP

STEP_HOURS = STEP / timedelta(hours=1)
CO2_LIMIT = 420.0 + 800.0
"""ppm: 800 over outdoors, category II of EN 16798-1."""
DOWN = 0.5
"""A shade from this position on counts as down."""


@dataclass(frozen=True)
class Score:
    """Figures of one run, all rooms together unless said otherwise."""

    heat_kwh: float = NAN
    cooling_kwh: float = NAN
    """Heat removed; its electricity is this over the site's COP."""
    lighting_kwh: float = NAN
    """Electricity of the lights."""
    cost: float = NAN
    """Of heating and cooling, in the site's currency."""
    cost_with_lights: float = NAN
    weighed: float = NAN
    """Cost, and what the site's prices say of discomfort, of working hours with the shade down (dearer beyond half of
    a day) and of moves: what a plan is asked to keep low, in the site's currency."""
    discomfort_over: float = NAN
    """K h above the occupied band in the calendar's working hours."""
    discomfort_under: float = NAN
    """K h below it."""
    felt_discomfort: float = NAN
    """K h outside the occupied band while somebody was there, at whatever hour."""
    co2_hours: float = NAN
    """Room hours above CO2_LIMIT with somebody there."""
    moves: float = NAN
    """Shade moves per room with a shade and day, as commanded."""
    shaded_share: float = NAN
    """Share of the working hours with the shade down, rooms with a shade."""
    glare_hours: float = NAN
    """Room hours with somebody there, the shade up, and sun over GLARE_ABOVE on the facade, wind permitting."""
    violations: float = NAN
    """Commands that nobody may give; see loop.command_faults."""
    solve_p95: float = NAN
    """Seconds of a decision, 95th percentile."""
    solve_max: float = NAN

    @property
    def discomfort(self) -> float:
        """K h outside the band in working hours."""
        return self.discomfort_over + self.discomfort_under

    def to_dict(self) -> dict[str, float]:
        """The figures by name."""
        return asdict(self)


def score(run: Run) -> Score:
    """The figures of a run."""
    rows, site = run.rows, run.site
    band, working = site.comfort.occupied, rows["working"].to_numpy(dtype=bool)
    air, people = rows["air"].to_numpy(), rows["people"].to_numpy() > 0
    over, under = np.maximum(air - band.high, 0), np.maximum(band.low - air, 0)
    shade, shaded = rows["shade"].to_numpy(), rows["has_shade"].to_numpy(dtype=bool)
    glare = people & (rows["irradiance"].to_numpy() > GLARE_ABOVE) & (shade < DOWN) & shaded
    calm = ~(rows["wind"].to_numpy() > site.wind.release_below)
    heat, cooling, lights = (rows[name].sum() for name in ("heat_kwh", "cooling_kwh", "lighting_kwh"))
    power = float((rows["cooling_kwh"] * rows["price"]).sum()) / site.tariffs.cooling_cop
    cost = float(heat * site.tariffs.heat) + power
    too_warm, too_cold = (float(each[working].sum() * STEP_HOURS) for each in (over, under))
    dark = _dark(rows[working & shaded], site.place.timezone)
    moves, room_days, prices = _moves(rows[shaded]), shaded.sum() * STEP_HOURS / 24, site.control
    return Score(
        heat_kwh=float(heat),
        cooling_kwh=float(cooling),
        lighting_kwh=float(lights),
        cost=cost,
        cost_with_lights=cost + float((rows["lighting_kwh"] * rows["price"]).sum()),
        weighed=cost
        + float(prices.comfort_price * (too_warm + too_cold) + prices.view_price * dark + prices.move_price * moves),
        discomfort_over=too_warm,
        discomfort_under=too_cold,
        felt_discomfort=float((over + under)[people].sum() * STEP_HOURS),
        co2_hours=float((people & (rows["co2"].to_numpy() > CO2_LIMIT)).sum() * STEP_HOURS),
        moves=moves / room_days if room_days else NAN,
        shaded_share=float((shade[working & shaded] >= DOWN).mean()) if (working & shaded).any() else NAN,
        glare_hours=float((glare & calm).sum() * STEP_HOURS),
        violations=float(len(run.faults)),
        solve_p95=float(np.quantile(run.seconds, 0.95)),
        solve_max=float(run.seconds.max()),
    )


def _dark(at_work: pd.DataFrame, zone: str) -> float:
    """Room hours with the shade down; those beyond DIM_SHARE of a room's day count GLOOM times."""
    day = at_work["time"].dt.tz_convert(zone).dt.date
    days = (at_work["shade"] >= DOWN).groupby([at_work["room"], day]).agg(["sum", "size"])
    beyond = (days["sum"] - DIM_SHARE * days["size"]).clip(lower=0)
    return float((days["sum"] + (GLOOM - 1) * beyond).sum() * STEP_HOURS)


def _moves(rows: pd.DataFrame) -> int:
    """Changes of the commanded position by more than a tenth, all rooms."""
    told = rows.pivot_table(index="time", columns="room", values="told_shade")
    return int((told.diff().abs() > 0.1).to_numpy().sum())
