"""Forecast issues of clear and of other days, for sites whose geometry a test chooses."""

from collections.abc import Callable

import pandas as pd
import pytest
from pvlib.location import Location

from esus_pipeline.frames import STEP
from esus_pipeline.site import Site, load_site

BASE = {
    "name": "test",
    "title": "Test",
    "data_start": "2026-01-01",
    "place": {"latitude": 57.0, "longitude": 10.0, "altitude": 20, "timezone": "Europe/Copenhagen"},
    "comfort": {"occupied": {"low": 20, "high": 26}, "unoccupied": {"low": 17, "high": 29}},
    "tariffs": {"heat": 0.8, "electricity": 1.8},
    "wind": {"retract_above": 10, "release_below": 8},
    "shades": {"screen": {"g_tot": 0.1, "light_transmittance": 0.05}},
}


@pytest.fixture(scope="session")
def tmv23() -> Site:
    return load_site("tmv23")


@pytest.fixture
def one_pane() -> Callable[..., Site]:
    """A site of one room with one pane of 2 m2: 1.6 m2 of glass, g 0.5."""

    def build(azimuth: float = 180.0, facade: dict | None = None, **window: object) -> Site:
        pane = {"id": "w1", "facade": "f", "area": 2.0, "u_value": 1.1, "g_value": 0.5, "shade": "screen", **window}
        room = {"id": "r1", "area": 20, "height": 2.8, "windows": [pane]}
        return Site.model_validate({**BASE, "facades": {"f": {"azimuth": azimuth, **(facade or {})}}, "rooms": [room]})

    return build


@pytest.fixture(scope="session")
def clear_day() -> Callable[..., pd.DataFrame]:
    """The columns of one issue that the sun needs, for a cloudless sky (Ineichen-Perez at the middle of intervals)."""

    def issue(day: str, hours: int = 24) -> pd.DataFrame:
        starts = pd.date_range(day, periods=4 * hours, freq="15min", tz="UTC", unit="us")
        sky = Location(57.0, 10.0, altitude=20).get_clearsky(starts + STEP / 2, linke_turbidity=3.0)
        values = {name: sky[name].to_numpy() for name in ("ghi", "dni", "dhi")}
        return pd.DataFrame({"issued_at": starts[0], "valid_time": starts, "kind": "forecast", **values})

    return issue
