"""Real processes for the tests: started in sessions of their own, given limited time, and always ended."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

import psutil

from esus_pipeline.demo.supervisor import MARK

T = TypeVar("T")
PYTHON = [sys.executable, "-W", "ignore"]
INHERITED = ("PATH", "HOME", "LANG", "TMPDIR")


def environment(**settings: str) -> dict[str, str]:
    """A small environment: nothing of the developer's shell decides how a test ends."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ} | settings


def wait_until(what: str, found: Callable[[], T], seconds: float, pause: float = 0.2) -> T:
    """The first true answer of `found`; TimeoutError after so many seconds."""
    deadline = time.monotonic() + seconds
    while not (answer := found()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds:.0f} s")
        time.sleep(pause)
    return answer


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def end_session(process: subprocess.Popen[bytes], seconds: float = 30.0) -> None:
    """Ask a process to end, and kill all of its session that is left."""
    with suppress(ProcessLookupError):
        process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(seconds)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)


def hear_ctrl_c() -> None:
    """What a terminal gives a program; a shell that runs the tests in the background has them ignored."""
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


class Demo:
    """`esus demo` on a home folder, as a user starts it."""

    def __init__(self, home: Path, name: str = "output") -> None:
        self.home = home
        self._output = home / f"{name}.log"
        self._supervisor: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._output.unlink(missing_ok=True)
        with self._output.open("wb") as output:
            self._supervisor = subprocess.Popen(
                [*PYTHON, "-m", "esus_pipeline.cli", "demo", "--home", str(self.home)],
                env=environment(PYTHONUNBUFFERED="1", PYTHONFAULTHANDLER="1"),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=hear_ctrl_c,
            )

    def wait_green(self, seconds: float) -> None:
        """Wait for the words that a user waits for."""

        def green() -> bool:
            assert self.alive, f"the demo ended:\n{self.output}"
            assert "not green" not in self.output, self.output
            return "All green." in self.output

        try:
            wait_until("all green", green, seconds)
        except TimeoutError as error:
            raise AssertionError(f"{error}\n{self.output}") from None

    @property
    def alive(self) -> bool:
        return self._supervisor is not None and self._supervisor.poll() is None

    @property
    def output(self) -> str:
        return self._output.read_text(encoding="utf-8")

    @property
    def ui(self) -> str:
        """Known as soon as Dagster is up, before everything is green."""
        return self._address(r"\[.*\] Dagster is up at")

    @property
    def plan_page(self) -> str:
        return self._address(" +The plan +")

    def services(self) -> list[psutil.Process]:
        """Every process that the supervisor started, and those that they started."""
        return sorted((each for each in psutil.process_iter() if self._is_mine(each)), key=lambda each: each.pid)

    def supervisor(self) -> psutil.Process:
        assert self._supervisor is not None
        return psutil.Process(self._supervisor.pid)

    def reap(self) -> None:
        """Wait for a supervisor that was killed."""
        assert self._supervisor is not None
        self._supervisor.wait(10)

    def stop(self, how: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop, as Ctrl-C does or by another signal; its exit status."""
        assert self._supervisor is not None
        self._supervisor.send_signal(how)
        with suppress(subprocess.TimeoutExpired):
            return self._supervisor.wait(60)
        self._supervisor.send_signal(how)  # as a person does; the first may meet a moment that Python swallows
        with suppress(subprocess.TimeoutExpired):
            return self._supervisor.wait(60)
        self._supervisor.send_signal(signal.SIGABRT)  # it then says where it hangs
        self._supervisor.wait(10)
        raise AssertionError(f"the demo does not stop:\n{self.output}")

    def end(self) -> None:
        """Stop it and kill whatever is left, after a test."""
        if self._supervisor:
            end_session(self._supervisor)
        for process in self.services():
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def _address(self, before: str) -> str:
        """The newest one printed; a demo that is started again may have other ports."""
        found = re.findall(rf"^{before} *(http://127\.0\.0\.1:\d+)$", self.output, re.MULTILINE)
        assert found, self.output
        return found[-1]

    def _is_mine(self, process: psutil.Process) -> bool:
        try:
            return process.environ().get(MARK) == str(self.home)
        except (psutil.Error, OSError):
            return False
