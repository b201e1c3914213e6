"""A forecast server on a real socket whose answers a test writes, and answers made of a clear day."""

import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest
from pvlib.location import Location

from esus_pipeline.site import Site, load_site
from esus_pipeline.weather import HttpCache


@dataclass
class Server:
    url: str = ""
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    respond: Callable[[BaseHTTPRequestHandler], None] = lambda handler: None

    @property
    def hits(self) -> int:
        return len(self.paths)

    def answer(self, body: str | bytes, status: int = 200, **headers: str) -> None:
        data = body.encode() if isinstance(body, str) else body

        def respond(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in {"Content-Length": str(len(data)), **headers}.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.end_headers()
            handler.wfile.write(data)

        self.respond = respond


@pytest.fixture
def server() -> Iterator[Server]:
    script = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            script.paths.append(self.path)
            script.headers.append({name.lower(): value for name, value in self.headers.items()})
            script.respond(self)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return "Sun, 21 Jun 2026 10:00:00 GMT"

        def log_message(self, format: str, *args: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield script
    http.shutdown()
    http.server_close()


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site("tmv23")


@pytest.fixture
def cache(tmp_path: Path) -> Callable[..., HttpCache]:
    return lambda **options: HttpCache(tmp_path / "cache" / "forecasts.sqlite", **options)


@pytest.fixture(scope="session")
def clear_sky(site: Site) -> Callable[[pd.DatetimeIndex, str], pd.DataFrame]:
    """Means of a cloudless sky over the interval that ENDS at each stamp, from one-minute values (Ineichen-Perez)."""
    place = site.place
    location = Location(place.latitude, place.longitude, altitude=place.altitude)

    def means(stamps: pd.DatetimeIndex, step: str) -> pd.DataFrame:
        minutes = pd.date_range(stamps[0] - pd.Timedelta(step), stamps[-1], freq="1min") + pd.Timedelta("30s")
        sky = location.get_clearsky(minutes[:-1], model="ineichen", linke_turbidity=3.0)
        return sky.resample(step, label="right").mean().reindex(stamps)

    return means


@pytest.fixture(scope="session")
def clear_answer(clear_sky: Callable[[pd.DatetimeIndex, str], pd.DataFrame]) -> Callable[..., dict]:
    """An Open-Meteo answer for cloudless days from `start` on, as a dictionary to be changed and dumped."""

    def block(stamps: pd.DatetimeIndex, step: str) -> dict:
        sky = clear_sky(stamps, step)
        return {
            "time": list(stamps.strftime("%Y-%m-%dT%H:%M")),
            "shortwave_radiation": sky["ghi"].round(2).tolist(),
            "direct_normal_irradiance": sky["dni"].round(2).tolist(),
            "diffuse_radiation": sky["dhi"].round(2).tolist(),
        }

    made: dict[tuple, str] = {}

    def answer(start: str = "2026-06-21", days: int = 4, quarterly: bool = True) -> dict:
        if (start, days) not in made:
            first = pd.Timestamp(start, tz="UTC")
            hours = pd.date_range(first, periods=24 * days, freq="h")
            radiation_units = dict.fromkeys(
                ("shortwave_radiation", "direct_normal_irradiance", "diffuse_radiation"), "W/m²"
            )
            steady = {"temperature_2m": 18.0, "wind_speed_10m": 4.0, "wind_gusts_10m": 9.0, "cloud_cover": 0.0}
            units = {"temperature_2m": "°C", "wind_speed_10m": "m/s", "wind_gusts_10m": "m/s", "cloud_cover": "%"}
            made[start, days] = json.dumps(
                {
                    "utc_offset_seconds": 0,
                    "hourly_units": {"time": "iso8601", **units, **radiation_units},
                    "hourly": {
                        **block(hours, "1h"),
                        **{name: [value] * len(hours) for name, value in steady.items()},
                    },
                    "minutely_15_units": {"time": "iso8601", **radiation_units},
                    "minutely_15": block(pd.date_range(first, periods=96 * days, freq="15min"), "15min"),
                }
            )
        document = json.loads(made[start, days])
        if not quarterly:
            del document["minutely_15"], document["minutely_15_units"]
        return document

    return answer
