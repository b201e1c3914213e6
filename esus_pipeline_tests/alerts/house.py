"""A small building for the alerts: two controllers, 60 points on the first, and tables of their states."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd

from esus_pipeline.alerts import Alerts
from esus_pipeline.alerts.reconcile import Policy
from esus_pipeline.alerts.senders import Sender
from esus_pipeline.alerts.store import Store
from esus_pipeline.alerts.words import Sender as Who
from esus_pipeline.site import Point, Site, load_site
from esus_pipeline.site.alerting import Alerting

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)
"""A Wednesday, 13:00 in Aalborg."""
BIG, SMALL = "AS1", "AS2"


def building(count: int = 60) -> Site:
    air = [
        Point(
            id=1000 + n, path=f"/{BIG}/T{n}", room="1.213", quantity="air_temperature", unit="degC", role="measurement"
        )
        for n in range(count)
    ]
    points = (
        *air,
        Point(id=2000, path=f"/{SMALL}/SG/W", room=None, quantity="wind_speed", unit="m/s", role="measurement"),
        Point(id=2001, path=f"/{SMALL}/SG/SP", room="1.213", quantity="heating_setpoint", unit="degC", role="setpoint"),
    )  # fmt: skip
    return load_site("tmv23").model_copy(update={"points": points})


SITE = building()


def states(now: datetime, behind: dict[str, float] | None = None, **state: str) -> pd.DataFrame:
    """One window of point states: all current but those named `p1000="missing"`; `behind` are controllers' minutes."""
    late = behind or {}
    rows = []
    for point in SITE.points:
        usual = "silent_by_nature" if point.role == "setpoint" else "current"
        minutes = late.get(point.controller, 5.0)
        silent = minutes > 90 and usual == "current"
        rows.append(
            {
                "window": pd.Timestamp(now) - pd.Timedelta(minutes=15),
                "point_id": point.id,
                "room": point.room,
                "quantity": point.quantity,
                "controller": point.controller,
                "state": state.get(f"p{point.id}", "late" if silent else usual),
                "since": pd.Timestamp(now) - pd.Timedelta(minutes=minutes) if silent else pd.NaT,
                "age_minutes": minutes,
                "bound_minutes": 60.0,
                "controller_late_minutes": minutes,
                "controller_bound_minutes": 45.0,
            }
        )
    return pd.DataFrame(rows).assign(since=lambda table: pd.to_datetime(table["since"], utc=True))


class Clock:
    """Time that the test moves."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, **span: float) -> datetime:
        self.now += timedelta(**span)
        return self.now


def policy(**alerting: object) -> Policy:
    return Policy(SITE.zone, Alerting.model_validate(alerting))


def alerts(folder: Path, clock: Clock, *senders: Sender, **options: object) -> Alerts:
    return Alerts(
        Store(folder / "alerts.sqlite"),
        senders,
        Who(SITE.title, SITE.zone, "https://ui.example.org/dagster"),
        policy(),
        heartbeat_file=folder / "heartbeat",
        clock=clock,
        **options,
    )
