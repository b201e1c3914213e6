"""Health checks of Dagster's processes that cost nothing: Dagster's own commands import it whole, seconds of a core.

    python -m esus_pipeline.health code PORT      the code server answers gRPC's standard health question
    python -m esus_pipeline.health daemon         the daemon's heartbeats in PostgreSQL (DAGSTER_POSTGRES_URL) are fresh
    python -m esus_pipeline.health web URL        the webserver answers

The exit status is 1 with one line of why where something does not work.
"""

import os
import sys
from collections.abc import Callable
from urllib.request import urlopen

SECONDS = 5.0
STALE_SECONDS = 300.0
"""The daemon notes a heartbeat every 30 s; a long step of its own may delay one."""


def code(port: str) -> None:
    """Raises where the code server of this port does not serve."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        question = health_pb2.HealthCheckRequest(service="DagsterApi")
        answer = health_pb2_grpc.HealthStub(channel).Check(question, timeout=SECONDS)
    if answer.status != health_pb2.HealthCheckResponse.SERVING:
        raise OSError(f"the code server says {answer}")


def daemon() -> None:
    """Raises where no part of the daemon has shown a sign of life for STALE_SECONDS."""
    from sqlalchemy import create_engine, text

    engine = create_engine(os.environ["DAGSTER_POSTGRES_URL"], connect_args={"connect_timeout": int(SECONDS)})
    newest = "select extract(epoch from timezone('utc', now()) - max(timestamp)) from daemon_heartbeats"
    with engine.connect() as connection:
        age = connection.execute(text(newest)).scalar()
    if age is None or age > STALE_SECONDS:
        raise OSError(f"the last heartbeat is {age} s old")


def web(url: str) -> None:
    """Raises where the webserver does not answer with 200."""
    if not url.startswith("http://"):
        raise OSError(f"{url} is not an address of this machine")
    with urlopen(url, timeout=SECONDS):  # noqa: S310
        pass


def main(words: list[str]) -> int:
    """Run one check; its exit status."""
    checks: dict[str, Callable[..., None]] = {"code": code, "daemon": daemon, "web": web}
    try:
        checks[words[0]](*words[1:])
    except Exception as error:  # noqa: BLE001
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
