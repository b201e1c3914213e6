"""Judged days as Markdown tables, for the asset's metadata and for `esus savings`."""

import pandas as pd

_COSTS = {
    "expected_cost": "expected",
    "measured_cost": "measured",
    "plan_cost": "plan, by model",
    "baseline_cost": "baseline, by model",
    "saving": "saving",
}


def by_room(rows: pd.DataFrame, currency: str) -> str:
    """One line per row of frames.SAVINGS, with why it does not count where it does not."""
    lines = _head(
        ["day", "room", *_titles(currency), "5 % to 95 %", "discomfort, plan less baseline (K h)", "left out"]
    )
    for row in rows.to_dict("records"):
        between = f"{_number(row['saving_low'])} to {_number(row['saving_high'])}" if pd.notna(row["saving"]) else ""
        discomfort = _number(row["plan_discomfort"] - row["baseline_discomfort"])
        cells = [f"{row['day']:%Y-%m-%d}", row["room"], *(_number(row[name]) for name in _COSTS)]
        lines.append(_line([*cells, between, discomfort, row["reason"]]))
    return "\n".join(lines)


def by_day(rows: pd.DataFrame, currency: str) -> str:
    """One line per day: sums over the rooms that count, and how many of them do."""
    lines = _head(["day", "rooms that count", *_titles(currency), "discomfort, plan less baseline (K h)"])
    for day, own in rows.groupby("day"):
        counted = own[own["reason"] == ""]
        sums = counted[[*_COSTS, "plan_discomfort", "baseline_discomfort"]].sum(min_count=1, skipna=False)
        discomfort = _number(sums["plan_discomfort"] - sums["baseline_discomfort"])
        costs = [_number(sums[name]) if len(counted) else "" for name in _COSTS]
        cells = [f"{pd.Timestamp(str(day)):%Y-%m-%d %a}", f"{len(counted)} of {len(own)}", *costs]
        lines.append(_line([*cells, discomfort if len(counted) else ""]))
    return "\n".join(lines)


def _titles(currency: str) -> list[str]:
    return [f"{title} ({currency})" for title in _COSTS.values()]


def _head(titles: list[str]) -> list[str]:
    return [_line(titles), "|---" * len(titles) + "|"]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    return "" if pd.isna(value) else f"{value:.2f}"
