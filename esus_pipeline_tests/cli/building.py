"""The simulated building in a process of its own."""

import secrets
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from esus_pipeline_tests.real.processes import PYTHON, end_session, environment, free_port, listens, wait_until


@dataclass(frozen=True)
class Building:
    """A simulator in a process of its own, and the settings that lead to it."""

    url: str
    password: str = field(repr=False)

    @property
    def settings(self) -> dict[str, str]:
        return {
            "ESUS_BMS_URL": self.url,
            "ESUS_BMS_USERNAME": "demo",
            "ESUS_BMS_PASSWORD": self.password,
            "ESUS_FORECAST_URL": self.url,
            "ESUS_FORECAST_FALLBACK_URL": self.url,
            "ESUS_PRICE_URL": self.url,
            "ESUS_HINDCAST_URL": self.url,
            "ESUS_CONTACT": "operator@example.org",
        }


def run_building(log: Path, *options: str) -> Iterator[Building]:
    """`python -m esus_pipeline.simulator` until the test is over."""
    port, password = free_port(), secrets.token_urlsafe(16)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*PYTHON, "-m", "esus_pipeline.simulator", "--port", str(port), "--username", "demo", *options],
            env=environment(ESUS_BMS_PASSWORD=password),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        wait_until("the simulated building", lambda: listens(port), 60)
        yield Building(f"http://127.0.0.1:{port}", password)
    finally:
        end_session(process)
