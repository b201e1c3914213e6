"""What the asset checks cost: the same backfill with and without them."""

from datetime import timedelta
from statistics import median

from esus_pipeline_tests.bench.pipeline_bench import _Bench, _Cost, _key, _row

DAYS = 4
ROUNDS = 3


def backfill_with_and_without(length: int = DAYS, rounds: int = ROUNDS) -> list[dict[str, object]]:
    """The same days into an empty archive with and without checks by turns; a ratio of 0.83 is a cost of 1.2 times.

    The machine's noise meets both sides alike: they take turns, and who is first changes; the middle of each counts.
    """
    costs: dict[str, list[_Cost]] = {"no_checks": [], "in_process": []}
    with _Bench() as bench:
        midnight = bench.now.replace(hour=0, minute=0)
        first, last = _key(midnight - timedelta(days=length + 1)), _key(midnight - timedelta(days=1, minutes=15))
        bench.simulate(midnight - timedelta(days=length + 1), midnight)
        bench.run(first, first, "no_checks")
        for number in range(rounds):
            for executor in sorted(costs, reverse=number % 2 == 1):
                bench.forget()
                costs[executor].append(bench.run(first, last, executor))
    ours, other = costs["in_process"], costs["no_checks"]
    what = f"backfill of {length} days with all checks / without them, middle of {rounds} by turns"
    peak = max(cost.peak_mb for cost in ours)
    return [
        _row("f_wall", f"{what}: wall", median(c.wall_s for c in ours), median(c.wall_s for c in other), peak),
        _row("f_cpu", f"{what}: CPU", median(c.cpu_s for c in ours), median(c.cpu_s for c in other), peak),
    ]
