"""The demo's supervisor with small real processes."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from esus_pipeline.demo import supervisor as module
from esus_pipeline.demo.supervisor import MARK, Service, StartError, Supervisor, end_leftovers
from esus_pipeline_tests.real.processes import wait_until

SLEEP = "import time; time.sleep(60)"
CHILD = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEP!r}]); {SLEEP}"
STUBBORN = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); {SLEEP}"


def service(code: str, name: str = "sleeper", **options: object) -> Service:
    return Service(name, [sys.executable, "-c", code], **{"ready": lambda: True, **options})


def marked(home: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == str(home) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


@pytest.fixture
def system(tmp_path: Path) -> Iterator[Supervisor]:
    with Supervisor(tmp_path, {}) as system:
        yield system
    assert marked(tmp_path) == []


def watch_until(system: Supervisor, what: str, found, seconds: float = 20.0):
    def step():
        system.watch()
        return found()

    return wait_until(what, step, seconds, pause=0.05)


def test_a_killed_service_is_started_again_at_once(system, tmp_path):
    system.start(service(SLEEP))
    [first] = wait_until("the service", lambda: marked(tmp_path), 10)
    first.kill()
    [second] = watch_until(system, "another process", lambda: [p for p in marked(tmp_path) if p.pid != first.pid], 5)
    assert second.pid != first.pid


def test_what_a_killed_service_had_started_ends_with_it(system, tmp_path):
    system.start(service(CHILD))
    family = wait_until("parent and child", lambda: (found := marked(tmp_path)) and len(found) == 2 and found, 10)
    [parent] = [process for process in family if process.ppid() == os.getpid()]
    [child] = [process for process in family if process.pid != parent.pid]
    parent.kill()
    watch_until(system, "the end of the child", lambda: child not in marked(tmp_path), 10)
    assert not child.is_running() or child.status() == psutil.STATUS_ZOMBIE


def test_a_service_that_dies_at_once_is_started_at_growing_intervals(system, tmp_path):
    starts = tmp_path / "starts"
    code = f"open({str(starts)!r}, 'a').write('x')"
    system.start(service(code, ready=starts.exists))
    end = time.monotonic() + 5
    while time.monotonic() < end:
        system.watch()
        time.sleep(0.02)
    assert 2 <= len(starts.read_text()) <= 4  # after 0, 1, 2 and 4 seconds, not in a tight loop


def test_a_service_that_cannot_start_is_given_up_with_the_place_of_its_log(system, monkeypatch):
    monkeypatch.setattr(module, "EARLY_DEATHS", 2)
    with pytest.raises(StartError, match=r"broken did not start; see .*broken\.log"):
        system.start(service("raise SystemExit('no such file')", name="broken", ready=lambda: False))
    [log] = [path for path in system._logs.iterdir() if path.name == "broken.log"]
    assert "no such file" in log.read_text()


def test_a_service_that_never_gets_ready_is_given_up_in_time(system):
    with pytest.raises(StartError, match="slow did not start"):
        system.start(service(SLEEP, name="slow", ready=lambda: False, ready_seconds=0.5))


def test_a_service_killed_while_it_starts_is_started_again(system, tmp_path):
    killed: list[int] = []

    def ready() -> bool:
        processes = marked(tmp_path)
        if processes and not killed:
            killed.append(processes[0].pid)
            processes[0].kill()
            return False
        return bool(processes) and processes[0].pid not in killed

    system.start(service(SLEEP, ready=ready, ready_seconds=20))
    assert len(killed) == 1


def test_what_comes_before_a_start_runs_each_time_and_is_tried_again(system, tmp_path):
    calls: list[float] = []

    def before() -> None:
        calls.append(time.monotonic())
        if len(calls) == 1:
            raise StartError("it was killed")

    system.start(service(SLEEP, before_start=before, ready_seconds=20))
    assert len(calls) == 2
    [process] = wait_until("the service", lambda: marked(tmp_path), 10)
    process.kill()
    watch_until(system, "the next start", lambda: len(calls) == 3)


def test_a_service_that_does_not_listen_is_killed_in_the_end(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "STOP_SECONDS", 0.5)
    log = tmp_path / "logs" / "sleeper.log"
    with Supervisor(tmp_path, {}) as system:
        system.start(service(STUBBORN, ready=lambda: log.exists() and "up" in log.read_text()))
        assert len(marked(tmp_path)) == 1
    assert marked(tmp_path) == []


def test_leftovers_of_a_killed_supervisor_are_ended_and_nothing_else(tmp_path):
    mine = {**os.environ, MARK: str(tmp_path)}
    other = {**os.environ, MARK: str(tmp_path / "other")}
    command = [sys.executable, "-c", CHILD]
    leftover = subprocess.Popen(command, env=mine, start_new_session=True)
    stranger = subprocess.Popen(command, env=other, start_new_session=True)
    try:
        wait_until("parent and child", lambda: len(marked(tmp_path)) == 2, 10)
        end_leftovers(tmp_path)
        leftover.wait(5)
        assert marked(tmp_path) == []
        assert stranger.poll() is None
    finally:
        for process in (leftover, stranger):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(5)


def test_the_settings_reach_every_process_and_a_failing_command_says_why(tmp_path):
    with Supervisor(tmp_path, {"ESUS_SITE": "ou44"}) as system:
        system.run([sys.executable, "-c", "import os; assert os.environ['ESUS_SITE'] == 'ou44'"])
        with pytest.raises(StartError, match=r"status 3[\s\S]*the reason"):
            system.run([sys.executable, "-c", "import sys; print('the reason', file=sys.stderr); sys.exit(3)"])


def test_a_command_that_hangs_is_given_up(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "RUN_SECONDS", 0.5)
    with Supervisor(tmp_path, {}) as system, pytest.raises(StartError, match="did not end within"):
        system.run([sys.executable, "-c", SLEEP])
