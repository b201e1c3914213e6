"""The systemd units: right in systemd's eyes, shut in, and running the same programs as docker-compose.yml."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from esus_pipeline_tests.deploy.compose import DEMO, REPO, rendered

FOLDER = REPO / "deploy" / "systemd"
SERVICES = sorted(path.name for path in FOLDER.glob("*.service"))
MOST_EXPOSURE = 4.0
ANALYZE = shutil.which("systemd-analyze")

pytestmark = pytest.mark.skipif(ANALYZE is None, reason="needs systemd-analyze: apt-get install systemd")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A machine with the units installed and their programs in place."""
    root = tmp_path_factory.mktemp("root")
    shutil.copytree("/lib/systemd/system", root / "lib" / "systemd" / "system", symlinks=True)
    units = root / "etc" / "systemd" / "system"
    shutil.copytree(FOLDER, units, ignore=shutil.ignore_patterns("*.tmpfiles"))
    for unit in units.glob("*.service"):
        for program in re.findall(r"^Exec\w+=(\S+)", unit.read_text(encoding="utf-8"), re.MULTILINE):
            file = root / program.lstrip("/")
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("#!/bin/sh\n", encoding="utf-8")
            file.chmod(0o755)
    return root


def analyze(*words: str) -> str:
    done = subprocess.run(["systemd-analyze", "--no-pager", *words], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def test_systemd_understands_every_line(root):
    units = [
        str(root / "etc/systemd/system" / path.name)
        for path in FOLDER.iterdir()
        if path.suffix in {".service", ".timer"}
    ]
    said = analyze("verify", "--man=no", f"--root={root}", *units)
    mine = [line for line in said.splitlines() if re.search(r"esus", line)]
    assert mine == []


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_is_shut_in(root, service):
    said = analyze("security", "--offline=true", f"--root={root}", service)
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", said)
    assert found, said
    assert float(found[1]) <= MOST_EXPOSURE
    assert "✓ NoNewPrivileges" in said


def test_the_units_run_what_the_containers_run():
    services = rendered(**DEMO)["services"]
    for name in ("code", "daemon", "webserver", "operator"):
        unit = (FOLDER / f"esus-{name}.service").read_text(encoding="utf-8")
        steps = [
            step.replace("/opt/esus/bin/", "")
            for step in re.findall(r"^Exec(?:StartPre|Start)=(.*)$", unit, re.MULTILINE)
        ]
        words = services[name]["command"]
        contained = words[-1].replace("exec ", "").split(" && ") if words[0] == "sh" else [" ".join(words)]
        assert [step.replace("127.0.0.1", "0.0.0.0") for step in steps] == contained, name  # noqa: S104


def test_nothing_listens_beyond_the_loopback_interface_and_no_secret_is_in_a_unit():
    for path in FOLDER.rglob("*"):
        text = path.read_text(encoding="utf-8") if path.is_file() else ""
        assert "0.0.0.0" not in text, path  # noqa: S104
        assert not re.search(r"(PASSWORD|TOKEN)=", text), path
