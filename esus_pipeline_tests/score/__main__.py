"""`make score-quality`: score silence and nonsense, print the tables, write build/score-quality.json.

The exit status is 1 where a figure misses what is promised (docs/data-quality.md).
"""

import argparse
import json
import sys
from pathlib import Path

import pandas as pd

from esus_pipeline_tests.score import plausibility, silence
from esus_pipeline_tests.score.worlds import OU44, World, ou44, twin

SILENCE = ("rule", "quantity", "gaps_over_bound", "recall_over_bound", "recall_all", "alarms", "precision",
           "precision_strict", "precision_lost_only", "false_per_week", "delay_p50_hours",
           "delay_p90_hours")  # fmt: skip
NONSENSE = ("fault", "quantity", "episodes", "recall", "flagged", "precision", "false_per_week")


def main() -> int:
    """Score the worlds that are at hand."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seeds", type=int, default=20)
    seeds = range(options.parse_args().seeds)
    worlds = [*([ou44()] if OU44.is_file() else []), twin()]
    result, misses, parts = {"seeds": len(seeds)}, [], []
    for world in worlds:
        told, nonsense = silence.score(world, seeds), plausibility.score(world, seeds)
        span = f"{world.name}, {world.start:%Y-%m-%d} to {world.end:%Y-%m-%d}, {len(seeds)} seeds"
        show(f"Silence: {span}", told, SILENCE)
        show(f"Nonsense: {span}", nonsense, NONSENSE)
        result[world.name] = {"silence": records(told), "nonsense": records(nonsense)}
        misses += [f"{world.name}: {miss}" for miss in missed(world, told, nonsense)]
        parts.append(told)
    told = together(parts)
    show("Silence: all buildings together", told, tuple(told.columns))
    result["together"] = records(told)
    for rule in ("ours_notice", "ours_loss"):
        [precision] = told.loc[told["rule"] == rule, "precision"]
        misses += [f"together: {rule} precision is {precision:.3f}"] if precision < 0.98 else []
    result["missed"] = misses
    file = Path("build/score-quality.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"\n{file} written. " + ("All promises are kept." if not misses else "Missed:\n  " + "\n  ".join(misses)))
    return 1 if misses else 0


def missed(world: World, told: pd.DataFrame, nonsense: pd.DataFrame) -> list[str]:
    """What is promised and was not reached."""
    promises = []
    for rule in ("ours_notice", "ours_loss"):
        [whole] = told[(told["rule"] == rule) & (told["quantity"] == "all")].to_dict("records")
        promises += [
            (f"{rule} false alarms a week", whole["false_per_week"], whole["false_per_week"] <= 1),
        ]
        if rule == "ours_loss":
            promises.append(("recall over the bound", whole["recall_over_bound"], whole["recall_over_bound"] >= 0.98))
    if world.name == "ou44":
        for row in nonsense.to_dict("records"):
            name = f"{row['fault']} of {row['quantity']}"
            promises.append((f"precision of {name}", row["precision"], row["precision"] >= 0.95))
            promises.append((f"recall of {name}", row["recall"], row["recall"] >= 0.90))
    return [f"{what} is {figure:.3f}" for what, figure, kept in promises if not kept]


def together(parts: list[pd.DataFrame]) -> pd.DataFrame:
    """Recall and precision of each rule over all buildings."""
    rows = pd.concat([part[part["quantity"] == "all"] for part in parts])
    shares = {"recall_over_bound": "gaps_over_bound", "precision": "alarms", "precision_strict": "alarms"}
    for share, count in shares.items():
        rows[share] = rows[share] * rows[count]
    total = rows.groupby("rule", sort=False)[list(dict.fromkeys([*shares.values(), *shares]))].sum()
    for share, count in shares.items():
        total[share] /= total[count]
    return total.reset_index()


def show(title: str, table: pd.DataFrame, columns: tuple[str, ...]) -> None:
    """Print the rows that speak of something."""
    said = table[sum(table[name] for name in ("alarms", "gaps", "episodes") if name in table) > 0]
    print(f"\n{title}\n" + said[list(columns)].round(3).to_string(index=False, na_rep="-"), flush=True)


def records(table: pd.DataFrame) -> list[dict[str, object]]:
    """Rows for JSON, which has no NaN."""
    return json.loads(table.to_json(orient="records"))  # type: ignore[no-any-return]


if __name__ == "__main__":
    sys.exit(main())
