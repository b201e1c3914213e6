"""docker-compose.yml as Compose itself reads it: interpolated, merged, checked against its schema."""

import json
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

REPO = Path(__file__).parents[2]
FILE = REPO / "docker-compose.yml"
DEMO = {
    name: value
    for name, _, value in (
        line.partition("=")
        for line in (REPO / "deploy" / "demo.env").read_text(encoding="utf-8").splitlines()
        if "=" in line and not line.startswith("#")
    )
}
PRODUCTION = {"ESUS_BMS_URL": "https://bms.example.org", "ESUS_BMS_USERNAME": "reader"}


@cache
def command() -> list[str]:
    """Docker's Compose, or the one of `make .tools/bin/docker-compose`, which is made where there is none."""
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        return ["docker", "compose"]
    own = REPO / ".tools" / "bin" / "docker-compose"
    subprocess.run(["make", "--silent", str(own.relative_to(REPO))], cwd=REPO, check=True, stdout=subprocess.DEVNULL)
    return [str(own)]


def rendered(**settings: str) -> dict[str, Any]:
    """The project that Compose makes of the file with these settings alone; ComposeError with what it says."""
    done = subprocess.run(
        [*command(), "--file", str(FILE), "--env-file", os.devnull, "config", "--format", "json"],
        env={"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **settings},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise ComposeError(done.stderr.strip())
    return json.loads(done.stdout)


class ComposeError(Exception):
    """Compose refuses the file or the settings."""
