"""The whole of docker-compose.yml on this machine, without Docker: real programs, the file's words, users and folders.

`with running(folder) as stack:` starts every service in the order that the file asks for and waits for its own health
checks. What differs from Docker is said here and nowhere else: PostgreSQL, nginx and InfluxDB are Debian's (InfluxDB
is 1.6.7 with the write address of 2.x, and therefore `influx-init` has nothing to do), Grafana is a stand-in, and all
share one network, so that the separation of networks is not shown.
"""

import ctypes
import os
import re
import secrets
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from esus_pipeline_tests.deploy import compose
from esus_pipeline_tests.deploy.compose import REPO
from esus_pipeline_tests.deploy.container import Image, Machine, command, health_words, joined, user_of, words_of
from esus_pipeline_tests.real.influx_target import InfluxTarget
from esus_pipeline_tests.real.processes import end_session, wait_until

POSTGRES = Path(max((str(path) for path in Path("/usr/lib/postgresql").glob("*/bin")), default="/nonexistent"))
NEEDED = {  # program: Debian's package
    "bwrap": "bubblewrap",
    "curl": "curl",
    "influxd": "influxdb",
    "nginx": "nginx-light",
    "openssl": "openssl",
    str(POSTGRES / "postgres"): "postgresql",
}
CLONE_NEWNET = 0x40000000

FIRST_START = """
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  initdb -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
  pg_ctl -w -o "-c listen_addresses=''" start && createdb -U "$POSTGRES_USER" "$POSTGRES_DB" && pg_ctl -w stop
fi >&2
exec "$@"
"""
"""What the entrypoint of the official image does, for the variables that the file uses."""


def images() -> dict[str, Image]:
    """What stands for each image of the file, by its name without the tag."""
    dockerfile = (REPO / "deploy" / "Dockerfile").read_text(encoding="utf-8").rpartition("FROM ")[2]
    environment = dict(re.findall(r"^(?:ENV| {3}) (\w+)=(\S+)", dockerfile, re.MULTILINE))
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    copied = re.search(r"^COPY (deploy/.*) /etc/dagster/$", dockerfile, re.MULTILINE)
    assert copied
    return {
        "esus-pipeline": Image(
            {**environment, "PATH": path},
            {f"/etc/dagster/{Path(name).name}": str(REPO / name) for name in copied[1].split()},
        ),
        "nginx": Image(
            {"PATH": "/usr/sbin:/usr/bin:/bin"},
            {"/etc/nginx/mime.types": "/etc/nginx/mime.types"},
            links=(("/var/log/nginx/access.log", "/dev/stdout"), ("/var/log/nginx/error.log", "/dev/stderr")),
        ),
        "postgres": Image(
            {"PATH": f"{POSTGRES}:/usr/bin:/bin", "PGDATA": "/var/lib/postgresql/data", "LANG": "C.UTF-8"},
            {},
            entrypoint=("sh", "-ec", FIRST_START, "--"),
        ),
    }


class Stack:
    """The services of the file, as processes. `url` is nginx; reach it inside `with stack.network():`."""

    url = "https://127.0.0.1"

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.project = compose.rendered(**{**compose.DEMO, **settings})
        self.services: dict[str, dict[str, Any]] = self.project["services"]
        self.bms_password = secrets.token_urlsafe(16)
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        self.influx: InfluxTarget | None = None
        self._images = images()
        self._network = subprocess.Popen(["unshare", "--net", "--", "sleep", "infinity"], start_new_session=True)
        self.machine = Machine(self._network.pid, folder / "volumes", folder / "secrets", folder / "hosts")

    def prepare(self) -> None:
        """Secrets by the real set-up script, volumes as the image makes them, names, and the loopback interface."""
        setup = subprocess.run(
            ["deploy/setup.sh"],
            cwd=REPO,
            env={**os.environ, "ESUS_SECRETS_DIR": str(self.machine.secrets), "ESUS_BMS_PASSWORD": self.bms_password},
            capture_output=True,
            text=True,
            check=True,
        )
        found = re.search(r"shown this once: (\S+) (\S+)$", setup.stdout, re.MULTILINE)
        assert found, setup.stdout
        self.user = (found[1], found[2])
        for service in self.services.values():
            for volume in service.get("volumes", []):
                if volume["type"] == "volume":
                    self._make_volume(volume["source"], user_of(service), bool(volume.get("read_only")))
        names = [*self.services, "localhost"]
        self.machine.hosts.write_text("".join(f"127.0.0.1 {name}\n" for name in names), encoding="utf-8")
        known = Path("/etc/passwd").read_text(encoding="utf-8")
        users = {user_of(service) for service in self.services.values()}
        extra = "".join(
            f"u{user}:x:{user}:{group}::/:/bin/false\n" for user, group in users if f":x:{user}:" not in known
        )
        self.machine.hosts.with_name("passwd").write_text(known + extra, encoding="utf-8")
        wait_until("the network", lambda: os.readlink("/proc/self/ns/net") != self._namespace(), 10, pause=0.01)
        ports = "echo 0 > /proc/sys/net/ipv4/ip_unprivileged_port_start"  # as the file's sysctls ask, and Docker does
        subprocess.run([*self.machine.nsenter(), "sh", "-c", f"ip link set lo up && {ports}"], check=True)

    def start(self) -> None:
        """Start everything, each service when those it depends on are as the file wants them."""
        started: set[str] = set()
        while waiting := [name for name in self.services if name not in started]:
            ready = [name for name in waiting if set(self._needs(name)) <= started]
            assert ready, f"{waiting} wait for each other"
            for name in ready:
                self.start_service(name)
            for name in ready:
                self.wait_healthy(name)
            started.update(ready)

    def start_service(self, name: str) -> None:
        """Start one service, or what stands for it."""
        service = self.services[name]
        if name == "influxdb":
            self._start_influx()
        elif name == "grafana":
            stand_in = REPO / "esus_pipeline_tests" / "deploy" / "grafana_stand_in.py"
            self._launch(name, [*self.machine.nsenter(), sys.executable, str(stand_in), "3000"])
        elif name != "influx-init":
            self._launch(name, self.words(name, words_of(service, self._image(service))))

    def words(self, name: str, words: list[str]) -> list[str]:
        """The command line of `docker compose run NAME …`: a container of its own."""
        return command(self.machine, self.services[name], self._image(self.services[name]), words)

    def words_inside(self, name: str, words: list[str]) -> list[str]:
        """The command line of `docker compose exec NAME …`: in the running container."""
        [inside] = psutil.Process(self.processes[name].pid).children()
        return joined(self.machine, self.services[name], self._image(self.services[name]), inside.pid, words)

    def execute(self, name: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run something in a running service, to its end."""
        return subprocess.run(self.words_inside(name, list(words)), capture_output=True, text=True, timeout=120)

    def runner(self) -> Path:
        """A program in place of `docker compose exec` and `run`: it takes a service and words."""
        folder = self.folder / "run"
        folder.mkdir(exist_ok=True)
        for name in self.services:
            words = self.words_inside(name, []) if name in self.processes and name != "grafana" else None
            if name != "grafana":
                _script(folder / name, f'exec {shlex.join(words or self.words(name, []))} "$@"')
        return _script(folder / "compose", f'service=$1; shift; exec {folder}/"$service" "$@"')

    def wait_healthy(self, name: str, seconds: float = 300) -> None:
        """Wait for the service's own health check."""
        if name not in self.processes or name == "grafana":
            return

        def healthy() -> bool:
            assert self.processes[name].poll() is None, f"{name} ended:\n{self.log(name)[-4000:]}"
            there = psutil.Process(self.processes[name].pid).children()
            return bool(there) and self.execute(name, *health_words(self.services[name])).returncode == 0

        try:
            wait_until(f"{name} is healthy", healthy, seconds, pause=1.0)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.log(name)[-4000:]}") from None

    def stop_service(self, name: str, how: signal.Signals = signal.SIGTERM) -> None:
        """End one service and all that it started."""
        process = self.processes.pop(name)
        if how != signal.SIGTERM:
            os.killpg(process.pid, how)
        end_session(process)

    def log(self, name: str) -> str:
        """What a service has printed."""
        return (self.folder / "logs" / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    @contextmanager
    def network(self) -> Iterator[None]:
        """This thread, and what it starts, in the network of the services."""
        with open("/proc/self/ns/net") as own, open(f"/proc/{self._network.pid}/ns/net") as theirs:
            _enter(theirs.fileno())
            try:
                yield
            finally:
                _enter(own.fileno())

    def end(self) -> None:
        """Stop everything."""
        for name in reversed(list(self.processes)):
            self.stop_service(name)
        if self.influx:
            self.influx.stop()
        end_session(self._network)

    def _needs(self, name: str) -> list[str]:
        return [other for other in self.services[name].get("depends_on") or {} if other in self.services]

    def _image(self, service: dict[str, Any]) -> Image:
        return self._images[service["image"].rpartition("/")[2].partition(":")[0]]

    def _launch(self, name: str, words: list[str]) -> None:
        log = self.folder / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("ab") as output:
            os.chown(log, *user_of(self.services[name]))  # as Docker does, so that /dev/stdout can be opened
            self.processes[name] = subprocess.Popen(
                words, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
            )

    def _start_influx(self) -> None:
        operator = (self.machine.secrets / "influxdb_admin_token").read_text(encoding="utf-8").strip()
        with self.network():
            self.influx = InfluxTarget(self.folder / "influx", port=8086, read_token=operator)
            self.influx.start()
        own = {"/srv/bin/influx": str(REPO / "esus_pipeline_tests" / "deploy" / "influx_stand_in.sh")}
        self._images["influxdb"] = Image({"PATH": "/srv/bin:/usr/bin:/bin", **self.influx.administration}, own)
        tokens = {"influx-writer/influxdb_token": self.influx.token, "influx-reader/token": self.influx.read_token}
        for place, token in tokens.items():
            file = self.machine.volumes / place
            file.write_text(token, encoding="utf-8")
            file.chmod(0o440)
            os.chown(file, 10001, 10001)

    def _make_volume(self, source: str, owner: tuple[int, int], read_only: bool) -> None:
        folder = self.machine.volumes / source
        if not folder.exists():
            folder.mkdir(parents=True)
            folder.chmod(0o755 if source.endswith("plan") else 0o750)
        if not read_only:
            os.chown(folder, *owner)

    def _namespace(self) -> str:
        return os.readlink(f"/proc/{self._network.pid}/ns/net")


@contextmanager
def running(folder: Path, **settings: str) -> Iterator[Stack]:
    """The whole system, started."""
    with prepared(folder, **settings) as stack:
        stack.start()
        yield stack


@contextmanager
def prepared(folder: Path, **settings: str) -> Iterator[Stack]:
    """The system before its start; skips where it cannot run and says what is missing."""
    if os.geteuid() != 0:
        pytest.skip("needs root: it changes users and makes a network of its own")
    path = f"/usr/sbin:{os.environ['PATH']}"
    if missing := [package for program, package in NEEDED.items() if not shutil.which(program, path=path)]:
        pytest.skip(f"needs the real programs: apt-get install {' '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    stack = Stack(folder, **settings)
    try:
        stack.prepare()
        yield stack
    finally:
        stack.end()


def _script(file: Path, line: str) -> Path:
    file.write_text(f"#!/bin/sh\n{line}\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def _enter(namespace: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")


if __name__ == "__main__":  # python -m esus_pipeline_tests.deploy.stack FOLDER: look around until interrupted
    with running(Path(sys.argv[1])) as stack:
        print("sudo", *stack.machine.nsenter(), "curl -ku", ":".join(stack.user), f"{stack.url}/plan/", flush=True)
        while True:
            time.sleep(3600)
