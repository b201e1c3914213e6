"""`make bench`: run the benchmarks, print one table, write build/bench.json.

    make bench ARGS="checks --days 30 --rounds 1"

Arguments: the benches to run, none for all; --days and --rounds are of `checks`.
"""

import argparse
import json
from functools import partial
from pathlib import Path

from esus_pipeline_tests.bench import (
    archive_bench,
    bms_bench,
    checks_bench,
    clean_bench,
    delivery_bench,
    pipeline_bench,
    plan_bench,
)

BENCHES = {
    "a1": bms_bench.request_dominated,
    "a2": bms_bench.point_dominated,
    "b": clean_bench.rows,
    "c": pipeline_bench.quarter_hour,
    "d": pipeline_bench.backfills,
    "e": archive_bench.rows,
    "p": plan_bench.plans,
    "encode": delivery_bench.encoding,
    "deliver": delivery_bench.delivering,
    "tick_to_point": delivery_bench.tick_to_point,
    "checks": checks_bench.backfill_with_and_without,
}
COLUMNS = ("id", "ours", "other", "ratio", "unit", "peak_mb", "what")


def main() -> None:
    """Run the benchmarks of those names, or all."""
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("bench", nargs="*", help=f"of {', '.join(BENCHES)}; none for all")
    parser.add_argument("--days", type=int, default=checks_bench.DAYS, help="days that `checks` backfills")
    parser.add_argument("--rounds", type=int, default=checks_bench.ROUNDS, help="how often `checks` does so each way")
    wanted = parser.parse_args()
    benches = BENCHES | {"checks": partial(checks_bench.backfill_with_and_without, wanted.days, wanted.rounds)}
    rows: list[dict[str, object]] = []
    for name, bench in benches.items():
        if not wanted.bench or name in wanted.bench:
            for row in bench():
                rows.append(row)
                print("  ".join(f"{row[column]!s:>{0 if column == 'what' else 10}}" for column in COLUMNS), flush=True)
    file = Path("build/bench.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print("  ".join(f"{column:>{0 if column == 'what' else 10}}" for column in COLUMNS))
    main()
