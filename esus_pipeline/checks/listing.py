"""The building's list of points on disk, so that it is asked for rarely. Belongs here: the file."""

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pandas as pd

from esus_pipeline.archive import files
from esus_pipeline.checks.drift import Listing


def current(path: Path, ask: Callable[[], pd.DataFrame | None], now: datetime) -> Listing | None:
    """The kept list while it is young, else what `ask` answers, kept from then on. Raises what `ask` raises.

    Where `ask` gives None, nobody answered: then it is the kept list however old, or None where there is none.
    """
    kept = last(path)
    if kept is not None and not kept.due(now):
        return kept
    answer = ask()
    if answer is None:
        return kept
    fresh = Listing.begun(answer, now) if kept is None else kept.updated(answer, now)
    with files.locked(path):
        files.write(path, _dump(fresh))
    return fresh


def last(path: Path) -> Listing | None:
    """The kept list; None where there is none, or none that can be read: the next answer begins it anew."""
    try:
        data = json.loads(path.read_bytes())
        points = pd.DataFrame(data["points"], columns=["point_id", "path", "first_seen", "gone"])
        points["first_seen"] = pd.to_datetime(points["first_seen"], utc=True, format="ISO8601")
        return Listing(datetime.fromisoformat(data["asked_at"]), points)
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _dump(listing: Listing) -> bytes:
    rows = [
        [int(row.point_id), str(row.path), pd.Timestamp(row.first_seen).isoformat(), bool(row.gone)]  # type: ignore[arg-type]
        for row in listing.points.itertuples()
    ]
    return json.dumps({"asked_at": listing.asked_at.isoformat(), "points": rows}, indent=0).encode()
