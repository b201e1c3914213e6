"""Reading one day of all points: one point after another, as the project before this one did, against our client.

Nobody knows which the real server is, so two models of it are measured: one that spends its time on the request and
one that spends it on the point. Both cost about 0.4 s for one point.
"""

from datetime import UTC, datetime, timedelta

import httpx

from esus_pipeline.bms import BmsClient, BmsConfig
from esus_pipeline.site import load_site
from esus_pipeline_tests.bench.measure import Measured, measure
from esus_pipeline_tests.bench.servers import PASSWORD, USERNAME, simulator

END = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1)
START = END - timedelta(days=1)


def request_dominated() -> list[dict[str, object]]:
    """0.40 s for each request and 0.01 s for each point."""
    return [_compare("a1", "a day of all points, request-dominated server", 0.40, 0.01)]


def point_dominated() -> list[dict[str, object]]:
    """0.02 s for each request and 0.43 s for each point."""
    return [_compare("a2", "a day of all points, point-dominated server", 0.02, 0.43)]


def _compare(id_: str, what: str, request_s: float, point_s: float) -> dict[str, object]:
    points = load_site("tmv23").point_ids
    with simulator(request_s, point_s) as url:
        _one_after_another(url, points[:1])
        ours = measure(lambda: _together(url, points), repeat=1)
        other = measure(lambda: _one_after_another(url, points), repeat=1)
    return _row(id_, f"{what} / one point after another", ours, other)


def _together(url: str, points: tuple[int, ...]) -> None:
    config = BmsConfig(base_url=url, username=USERNAME, password=PASSWORD, zone="Europe/Copenhagen", connections=2)
    with BmsClient(config) as client:
        poll = client.read(points, START, END)
    assert not poll.failed, poll.failed
    assert len(poll.readings) > 10_000


def _one_after_another(url: str, points: tuple[int, ...]) -> None:
    span = {"starttime": START.isoformat(), "endtime": END.isoformat()}
    with httpx.Client(auth=(USERNAME, PASSWORD), timeout=60) as http:
        for point in points:
            http.get(f"{url}/api/v1/trenddata", params={**span, "externallogid": point}).raise_for_status().json()


def _row(id_: str, what: str, ours: Measured, other: Measured) -> dict[str, object]:
    return {
        "id": id_,
        "what": what,
        "ours": round(ours.seconds, 2),
        "other": round(other.seconds, 2),
        "ratio": round(other.seconds / ours.seconds, 2),
        "unit": "s",
        "peak_mb": round(ours.peak_mb),
    }
