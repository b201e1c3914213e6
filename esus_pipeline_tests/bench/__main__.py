"""`make bench`: run the benchmarks, print one table, write build/bench.json. Arguments: the benches to run."""

import json
import sys
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


def main(wanted: list[str]) -> None:
    """Run the benchmarks of those names, or all."""
    rows: list[dict[str, object]] = []
    for name, bench in BENCHES.items():
        if not wanted or name in wanted:
            for row in bench():
                rows.append(row)
                print("  ".join(f"{row[column]!s:>{0 if column == 'what' else 10}}" for column in COLUMNS), flush=True)
    file = Path("build/bench.json")
    file.parent.mkdir(exist_ok=True)
    file.write_text(json.dumps({"rows": rows}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    print("  ".join(f"{column:>{0 if column == 'what' else 10}}" for column in COLUMNS))
    main(sys.argv[1:])
