import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime

import httpx
import pytest
import uvicorn

from esus_pipeline.simulator import SimulatorConfig, create_app
from esus_pipeline.simulator.twin import Twin
from esus_pipeline.site import Site, load_site

NOW = datetime(2026, 7, 20, 10, 0, tzinfo=UTC)


def ms(text: str) -> int:
    """Milliseconds since 1970 of a UTC time."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


@pytest.fixture(scope="session")
def site() -> Site:
    return load_site("tmv23")


@pytest.fixture(scope="session")
def twin(site: Site) -> Twin:
    return Twin(site, 1)


@contextmanager
def serving(config: SimulatorConfig) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(create_app(config), port=port, log_level="error", timeout_graceful_shutdown=1)
    )
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join(5)


Serve = Callable[[SimulatorConfig], httpx.Client]


@pytest.fixture
def serve() -> Iterator[Serve]:
    with ExitStack() as stack:

        def start(config: SimulatorConfig) -> httpx.Client:
            url = stack.enter_context(serving(config))
            auth = (config.username, config.password) if config.username else None
            return stack.enter_context(httpx.Client(base_url=url, auth=auth, timeout=30))

        yield start
