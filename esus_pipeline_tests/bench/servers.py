"""The simulator as a process, for benchmarks that need the building."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

USERNAME = "bench"
PASSWORD = "bench-only"


@contextmanager
def simulator(request_s: float = 0.0, point_s: float = 0.0) -> Iterator[str]:
    """Base address of a twin that takes `request_s` + `point_s` per point for every request."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "esus_pipeline.simulator", "--port", str(port)]
    command += ["--username", USERNAME, "--request-latency", str(request_s), "--point-latency", str(point_s)]
    env = {**os.environ, "ESUS_BMS_PASSWORD": PASSWORD}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 180
        while not _listens(port):
            if time.monotonic() > deadline or process.poll() is not None:
                raise RuntimeError("the simulator did not start")
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
