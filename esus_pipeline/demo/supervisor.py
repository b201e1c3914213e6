"""Starting processes, watching them, starting again those that die, and stopping all of them.

Belongs here: processes in general. Does not belong here: which ones the demo has (see system). Every process carries
a mark in its environment, so that the leftovers of a supervisor that was killed are found and ended at the next start.
"""

import functools
import logging
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

MARK = "ESUS_DEMO_HOME"
STOP_SECONDS = 10.0
RUN_SECONDS = 120.0
STEADY_SECONDS = 60.0
"""A process that lived this long has not died of its start."""

EARLY_DEATHS = 4
"""A service that dies so often in a row before it was ready has a fault that starting again does not cure."""

LONGEST_PAUSE = 30.0

log = logging.getLogger("esus.demo")


class StartError(RuntimeError):
    """A process did not come up, or could not be ended; the message says where to look."""


@dataclass
class Service:
    """One process. `ready` says whether it can be used; `before_start` runs each time before the process starts."""

    name: str
    command: list[str]
    ready: Callable[[], bool]
    before_start: Callable[[], None] = field(default=lambda: None)
    ready_seconds: float = 180.0


@dataclass
class _Charge:
    """A service under supervision, and what became of its process."""

    service: Service
    process: subprocess.Popen[bytes] | None = None
    started: float = 0.0
    deaths: int = 0
    """In a row, each soon after its start."""
    start_at: float = 0.0


class Supervisor:
    """The processes of one home folder. Use as a context manager: leaving it stops all of them."""

    def __init__(self, home: Path, env: Mapping[str, str]) -> None:
        """`env` is added to the environment of every process."""
        self._env = {**os.environ, **env, MARK: str(home)}
        self._logs = home / "logs"
        self._charges: list[_Charge] = []

    def __enter__(self) -> "Supervisor":
        """Makes the folder of the logs."""
        self._logs.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Stops all processes, the last one started asked first."""
        _end_groups({charge.service.name: charge.process for charge in reversed(self._charges) if charge.process})
        self._charges.clear()

    def run(self, command: list[str]) -> None:
        """Run a command to its end; StartError if it fails or takes too long."""
        name = " ".join(command)
        try:
            done = subprocess.run(  # noqa: S603
                command, env=self._env, capture_output=True, text=True, check=False, timeout=RUN_SECONDS
            )
        except subprocess.TimeoutExpired:
            raise StartError(f"{name} did not end within {RUN_SECONDS:.0f} s") from None
        if done.returncode:
            raise StartError(f"{name} failed (status {done.returncode}):\n{done.stderr[-2000:]}")

    def start(self, *services: Service) -> None:
        """Start services together and wait until each is ready; StartError when one keeps dying or takes too long."""
        charges = [_Charge(service) for service in services]
        self._charges.extend(charges)
        self.watch()
        deadline = time.monotonic() + max(service.ready_seconds for service in services)
        while waiting := [charge for charge in charges if charge.process is None or not charge.service.ready()]:
            self.watch()
            late = time.monotonic() > deadline
            for charge in waiting:
                if late or charge.deaths >= EARLY_DEATHS:
                    raise StartError(f"{charge.service.name} did not start; see {self._log(charge.service)}")
            time.sleep(0.1)

    def watch(self) -> None:
        """Start again what has died, and end what it left behind; with growing pauses where it dies at once."""
        for charge in self._charges:
            if charge.process and charge.process.poll() is not None:
                self._bury(charge, f"status {charge.process.returncode}")
            if charge.process is None and time.monotonic() >= charge.start_at:
                self._launch(charge)

    def _launch(self, charge: _Charge) -> None:
        service, charge.started = charge.service, time.monotonic()
        try:
            service.before_start()
        except StartError as error:
            self._bury(charge, str(error))
            return
        with self._log(service).open("ab") as output:
            charge.process = subprocess.Popen(  # noqa: S603
                service.command,
                env=self._env,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _bury(self, charge: _Charge, why: str) -> None:
        """End the group of a dead process and say when to start it again: at once after a steady life."""
        if charge.process:
            _end_groups({charge.service.name: charge.process})
        steady = time.monotonic() - charge.started > STEADY_SECONDS
        charge.process, charge.deaths = None, 1 if steady else charge.deaths + 1
        pause = min(LONGEST_PAUSE, 2.0 ** (charge.deaths - 2)) if charge.deaths > 1 else 0.0
        charge.start_at = time.monotonic() + pause
        log.warning("%s ended (%s); it is started again in %.0f s", charge.service.name, why, pause)

    def _log(self, service: Service) -> Path:
        return self._logs / f"{service.name}.log"


def end_leftovers(home: Path) -> None:
    """End what an earlier supervisor of this home left running; StartError when something cannot be ended."""
    deadline = time.monotonic() + STOP_SECONDS
    while leftovers := [process for process in psutil.process_iter() if _is_marked(process, home)]:
        if time.monotonic() > deadline:
            raise StartError(f"Processes of an earlier demo do not end: {[process.pid for process in leftovers]}")
        for process in leftovers:
            _quietly(process.kill)
        psutil.wait_procs(leftovers, timeout=1.0)


def _is_marked(process: psutil.Process, home: Path) -> bool:
    try:
        return process.pid != os.getpid() and process.environ().get(MARK) == str(home)
    except (psutil.Error, OSError):
        return False


def _end_groups(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """End processes (by name) and all that they started: all asked first, killed after STOP_SECONDS."""
    for process in processes.values():
        _quietly(functools.partial(os.killpg, process.pid, signal.SIGTERM))
    deadline = time.monotonic() + STOP_SECONDS
    for name, process in processes.items():
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s (process %s) did not stop when asked and is killed", name, process.pid)
        _quietly(functools.partial(os.killpg, process.pid, signal.SIGKILL))
        process.wait()


def _quietly(action: Callable[[], object]) -> None:
    """Signal something that may be gone already."""
    try:
        action()
    except (ProcessLookupError, psutil.NoSuchProcess):
        log.debug("it was gone already")
