"""A verdict as a small picture: the value of every window, its limit, and where it was beyond it."""

import pandas as pd

from esus_pipeline.checks.verdict import Verdict
from esus_pipeline.frames import STEP
from esus_pipeline.report import chart
from esus_pipeline.report.render import ENVIRONMENT
from esus_pipeline.site import Site

WIDTH, HEIGHT = 720, 190
LEFT, RIGHT, TOP, BOTTOM = 56, 706, 36, 160
_STEPS = (0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 500, 1000)
_FINEST = 700
"""Windows that one picture can show; more are joined, and the worst value of each group stands for it."""


def verdict_plot(site: Site, verdict: Verdict) -> str:
    """An SVG document without references to anything else; empty for a verdict of fewer than two windows."""
    windows, rule = verdict.windows.sort_values("window"), verdict.rule
    if rule is None or len(windows) < 2:
        return ""
    shown = _thinned(windows, rule.at_least)
    times, values = pd.DatetimeIndex(shown["window"]), shown["value"].to_numpy(dtype=float).tolist()
    axis = chart.TimeAxis(windows["window"].iloc[0], windows["window"].iloc[-1] + STEP, LEFT, RIGHT)
    y = chart.value_axis([0.0, rule.limit, *values], _STEPS, TOP, BOTTOM)
    hours = (axis.end - axis.start) / pd.Timedelta(hours=1)
    failed = shown.loc[shown["failed"].astype(bool), "window"]
    width = max(2.0, (RIGHT - LEFT) / max(len(shown), 1))
    return ENVIRONMENT.get_template("check_plot.svg").render(
        title=f"{rule.measure}{f', {rule.unit}' if rule.unit else ''}",
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=RIGHT,
        top=TOP,
        bottom=BOTTOM,
        ticks=axis.ticks(site, every=24 if hours > 60 else 6)[:: 1 if hours < 24 * 20 else 3],
        scale=y.ticks,
        limit=y.place(rule.limit),
        limit_text=f"{'at least' if rule.at_least else 'at most'} {rule.limit:g} {rule.unit}".strip(),
        path=chart.line(times, values, axis, y),
        failed=[axis.place(moment) for moment in failed],
        bar=round(width, 1),
    )


def _thinned(windows: pd.DataFrame, at_least: bool) -> pd.DataFrame:
    group = -(-len(windows) // _FINEST)
    if group == 1:
        return windows
    number = pd.Series(range(len(windows)), index=windows.index) // group
    worst = "min" if at_least else "max"
    return windows.groupby(number).agg(window=("window", "first"), value=("value", worst), failed=("failed", "max"))
