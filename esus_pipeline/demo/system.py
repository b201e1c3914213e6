"""Which processes the demo has, and its story: start, load, show where to look, run until stopped."""

import fcntl
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from string import Template

import click
import httpx

from esus_pipeline.demo.dagster_api import LOCATION, DagsterApi, DagsterApiError
from esus_pipeline.demo.first_load import FirstLoad
from esus_pipeline.demo.supervisor import Service, StartError, Supervisor, end_leftovers
from esus_pipeline.settings import Settings

GREEN_SECONDS = 420


@dataclass(frozen=True)
class Ports:
    """Where the demo listens, all on the loopback interface."""

    ui: int
    plan: int
    simulator: int
    code: int


def run_demo(home: Path, once: bool) -> int:
    """The demo; 0 when every asset is green. Without `once` it goes on until interrupted."""
    home = home.resolve()
    home.mkdir(parents=True, exist_ok=True)
    _stop_like_ctrl_c(signal.SIGTERM, signal.SIGHUP)
    began = time.monotonic()
    with _only_one(home):
        end_leftovers(home)
        ports = Ports(*(_free_port(preferred) for preferred in (3000, 8080, 8999, 4266)))
        instance = _write_instance(home, ports)
        with Supervisor(home, _environment(home, ports)) as system:
            good = _bring_up(system, ports, home, instance, began)
            _say(began, _summary(good, ports, home))
            while not once:
                system.watch()
                time.sleep(0.5)
            return 0 if good else 1


def _bring_up(system: Supervisor, ports: Ports, home: Path, workspace: Path, began: float) -> bool:
    """Start everything and load what is missing; whether all is green.

    The daemon comes last: when its sensors look for gaps for the first time, the backfill is known already.
    """
    api = DagsterApi(f"http://127.0.0.1:{ports.ui}")
    _start_servers(system, ports, home, workspace, api)
    load = FirstLoad(api, _first_day(home), datetime.now(UTC))
    _say(began, f"Dagster is up at http://127.0.0.1:{ports.ui}")
    click.echo(f"           loading {len(load.keys)} windows since {load.keys[0]} UTC in one ranged backfill")
    deadline = time.monotonic() + GREEN_SECONDS
    good, problem = _advance(load, ports)
    system.start(Service("daemon", _python("-m", "dagster._daemon", "run", "-w", str(workspace)), lambda: True))
    while not good and time.monotonic() < deadline:
        time.sleep(1.0)
        system.watch()
        good, problem = _advance(load, ports)
    for asset, keys in load.green.items():
        click.echo(f"           {asset:<26}{len(keys):>4} of {len(load.keys)} windows")
    if problem:
        _say(began, problem)
    return good


def _advance(load: FirstLoad, ports: Ports) -> tuple[bool, str]:
    """Whether all is green, and what stands in the way; servers that are being started again may do so for a while."""
    try:
        if not load.advance():
            return False, "The backfill has not ended."
    except DagsterApiError as error:
        return False, str(error)
    return (True, "") if _page_is_there(ports) else (False, "The plan page is not there.")


def _start_servers(system: Supervisor, ports: Ports, home: Path, workspace: Path, api: DagsterApi) -> None:
    def listens(port: int) -> Callable[[], bool]:
        return lambda: _listens(port)

    local = ("--host", "127.0.0.1", "--port")
    pages = home / "data" / "plan"
    pages.mkdir(parents=True, exist_ok=True)
    simulate = _python("-m", "esus_pipeline.simulator", *local, str(ports.simulator), "--username", "demo")
    serve = _python("-m", "http.server", str(ports.plan), "--bind", "127.0.0.1", "--directory", str(pages))
    code = _python("-m", "esus_pipeline.defs.code_server", *local, str(ports.code), "-m", "esus_pipeline.definitions")
    system.start(
        Service("building", simulate, listens(ports.simulator)),
        Service("plan-page", serve, listens(ports.plan)),
        Service(
            "code",
            [*code, "--location-name", LOCATION],
            listens(ports.code),
            before_start=lambda: system.run(_python("-m", "esus_pipeline.cli", "recover")),
        ),
    )
    web = _python("-m", "dagster_webserver", *local, str(ports.ui), "-w", str(workspace))
    system.start(Service("webserver", web, api.ready))


def _python(*arguments: str) -> list[str]:
    return [sys.executable, *arguments]


def _environment(home: Path, ports: Ports) -> dict[str, str]:
    simulator = f"http://127.0.0.1:{ports.simulator}"
    return {
        "ESUS_SITE": "tmv23",
        "ESUS_DATA_DIR": str(home / "data"),
        "ESUS_BMS_URL": simulator,
        "ESUS_BMS_USERNAME": "demo",
        "ESUS_BMS_PASSWORD": secrets.token_urlsafe(16),
        "ESUS_FORECAST_URL": simulator,
        "ESUS_FORECAST_FALLBACK_URL": simulator,
        "ESUS_HINDCAST_URL": "",
        "ESUS_PRICE_URL": simulator,
        "ESUS_CONTACT": "demo@localhost",
        "ESUS_DATA_START": _first_day(home).isoformat(),
        "ESUS_GAP_HOURS": "24",
        "ESUS_AUTOMATION": "on",
        "DAGSTER_HOME": str(home / "dagster"),
        "DAGSTER_EVENT_BATCH_SIZE": "1000",
        "DAGSTER_EMIT_PARTITION_SUBSET_IN_PLANNED_EVENTS": "1",
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore",
    }


def _first_day(home: Path) -> date:
    """Where the demo's partitions begin: ESUS_DATA_START or the day before its first start, kept from then on."""
    note = home / "first_day"
    if not note.exists():
        day = Settings.from_env().data_start or datetime.now(UTC).date() - timedelta(days=1)
        note.write_text(f"{day}\n", encoding="utf-8")
    return date.fromisoformat(note.read_text(encoding="utf-8").strip())


def _write_instance(home: Path, ports: Ports) -> Path:
    """dagster.yaml and the workspace file; the path of the latter."""
    folder = home / "dagster"
    folder.mkdir(parents=True, exist_ok=True)
    template = Template((Path(__file__).parent / "dagster.yaml").read_text(encoding="utf-8"))
    (folder / "dagster.yaml").write_text(template.substitute(home=home), encoding="utf-8")
    workspace = folder / "workspace.yaml"
    workspace.write_text(
        f"load_from:\n  - grpc_server: {{host: 127.0.0.1, port: {ports.code}, location_name: {LOCATION}}}\n",
        encoding="utf-8",
    )
    return workspace


def _page_is_there(ports: Ports) -> bool:
    try:
        answer = httpx.get(f"http://127.0.0.1:{ports.plan}/", timeout=10.0)
    except httpx.HTTPError:
        return False
    return answer.status_code == 200 and "<svg" in answer.text


def _summary(good: bool, ports: Ports, home: Path) -> str:
    if not good:
        return f"Something is not green; look at http://127.0.0.1:{ports.ui} and at {home / 'logs'}"
    return (
        "All green.\n"
        f"           Dagster    http://127.0.0.1:{ports.ui}\n"
        f"           The plan   http://127.0.0.1:{ports.plan}\n"
        f"           Everything is kept in {home}. Ctrl-C stops it."
    )


def _say(began: float, message: str) -> None:
    click.echo(f"[{time.monotonic() - began:6.1f} s] {message}")


def _stop_like_ctrl_c(*numbers: signal.Signals) -> None:
    """Let these signals stop the demo in order, too, except where the caller (nohup) has them ignored."""
    for number in numbers:
        if signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, signal.default_int_handler)


@contextmanager
def _only_one(home: Path) -> Iterator[None]:
    with (home / "demo.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StartError(f"A demo is running already in {home}.") from None
        yield


def _free_port(preferred: int) -> int:
    """The preferred port, or any where it is taken."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise StartError("No free port on the loopback interface.")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0
