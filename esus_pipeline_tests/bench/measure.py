"""How a benchmark is measured: in a process of its own, so that its peak memory is its own."""

import multiprocessing
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection


@dataclass(frozen=True)
class Measured:
    """What one call took."""

    seconds: float
    """The fastest of the repetitions."""
    peak_mb: float
    """Greatest resident memory of the process."""


def measure(work: Callable[[], object], repeat: int = 3) -> Measured:
    """Call `work` in a forked process; RuntimeError where it fails."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(work, repeat, sender))
    process.start()
    sender.close()
    try:
        seconds, peak_mb = receiver.recv()
    except EOFError:
        raise RuntimeError(f"{work} failed; its output says why") from None
    finally:
        process.join()
    return Measured(seconds, peak_mb)


def row(id_: str, what: str, unit: str, ours: Measured, other: Measured) -> dict[str, object]:
    """One row of the bench table for two durations; `ratio` is how many times faster ours is."""
    return {
        "id": id_,
        "what": what,
        "ours": round(ours.seconds * 1e3, 1),
        "other": round(other.seconds * 1e3, 1),
        "ratio": round(other.seconds / ours.seconds, 2),
        "unit": unit,
        "peak_mb": round(ours.peak_mb),
    }


def _run(work: Callable[[], object], repeat: int, sender: Connection) -> None:
    fastest = float("inf")
    for _ in range(repeat):
        began = time.perf_counter()
        work()
        fastest = min(fastest, time.perf_counter() - began)
    sender.send((fastest, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024))
