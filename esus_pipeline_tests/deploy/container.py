"""One service of docker-compose.yml as a process of this machine, shut in as Docker would shut it in.

Bubblewrap makes its file system: this machine's programs read-only, the service's volumes, secrets and tmpfs where the
file puts them, and nothing else that can be written. Then it becomes the user of the file, without capabilities and
without the means to get any. All services share one network namespace, in which their names lead to the loopback
interface and ports are those of the file. Needs root, bubblewrap and util-linux.
"""

import os
import shlex
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from esus_pipeline_tests.deploy.compose import REPO

OWN_ETC = ("hosts", "passwd", "nginx", "dagster", "influxdb2", "grafana")
HIDDEN = ("/var", "/run", "/tmp", "/root", "/srv", "/mnt")  # noqa: S108
"""Folders of this machine that a container does not have; they start empty."""


@dataclass(frozen=True)
class Machine:
    """What all containers share: the network's process, the folders of volumes and secrets, the file of names."""

    network_pid: int
    volumes: Path
    secrets: Path
    hosts: Path

    def nsenter(self) -> list[str]:
        """The words that put a command into the network."""
        return ["nsenter", f"--net=/proc/{self.network_pid}/ns/net", "--"]


@dataclass(frozen=True)
class Image:
    """What this machine has in place of an image: environment, files at their places, what comes before the command."""

    environment: dict[str, str]
    files: dict[str, str]
    entrypoint: tuple[str, ...] = ()
    links: tuple[tuple[str, str], ...] = ()


def command(machine: Machine, service: dict[str, Any], image: Image, words: list[str]) -> list[str]:
    """The command line that runs `words` as this service."""
    return [*machine.nsenter(), "bwrap", *_sandbox(machine, service, image), "--", *_user(service), *words]


def joined(machine: Machine, service: dict[str, Any], image: Image, inside: int, words: list[str]) -> list[str]:
    """The command line that runs `words` in the container of the process `inside`, as `docker compose exec` does."""
    environment = [f"{name}={value}" for name, value in _environment(service, image).items()]
    enter = ["nsenter", f"--target={inside}", "--mount", "--pid", "--ipc", f"--net=/proc/{machine.network_pid}/ns/net"]
    return [*enter, "--", *_user(service), "env", "-i", *environment, *words]


def words_of(service: dict[str, Any], image: Image) -> list[str]:
    """What the container runs: the file's entrypoint or the image's, then the file's command."""
    entrypoint = service.get("entrypoint") or list(image.entrypoint)
    return [*entrypoint, *(service.get("command") or [])]


def health_words(service: dict[str, Any]) -> list[str]:
    """The health check of the file."""
    kind, *words = service["healthcheck"]["test"]
    return ["sh", "-c", shlex.join(words)] if kind == "CMD-SHELL" else words


def user_of(service: dict[str, Any]) -> tuple[int, int]:
    """User and group of the file, as numbers."""
    user, _, group = service["user"].partition(":")
    return int(user), int(group)


def _user(service: dict[str, Any]) -> list[str]:
    user, group = user_of(service)
    groups = service.get("group_add")
    assert service["cap_drop"] == ["ALL"], service
    assert service["security_opt"] == ["no-new-privileges:true"], service
    return [
        "setpriv",
        f"--reuid={user}",
        f"--regid={group}",
        f"--groups={','.join(groups)}" if groups else "--clear-groups",
        "--no-new-privs",
        "--bounding-set=-all",
        "--inh-caps=-all",
    ]


def _sandbox(machine: Machine, service: dict[str, Any], image: Image) -> list[str]:
    words = ["--die-with-parent", "--unshare-pid", "--unshare-ipc", "--clearenv", "--ro-bind", "/", "/"]
    words += ["--proc", "/proc", "--dev", "/dev", "--perms", "1777", "--tmpfs", "/dev/shm"]  # noqa: S108
    words += [word for capability in ("SETUID", "SETGID", "SETPCAP") for word in ("--cap-add", f"CAP_{capability}")]
    for folder in (*HIDDEN, "/etc"):
        words += ["--tmpfs", folder]
    for entry in sorted(os.listdir("/etc")):
        if entry not in OWN_ETC:
            words += ["--ro-bind-try", f"/etc/{entry}", f"/etc/{entry}"]
    words += ["--ro-bind", str(machine.hosts), "/etc/hosts"]
    words += ["--ro-bind", str(machine.hosts.with_name("passwd")), "/etc/passwd"]
    for source in (sys.base_prefix, str(REPO)):  # they may lie in a hidden folder
        words += [*_parents(source), "--ro-bind", source, source]
    words += _mounts(machine, service)
    for target, source in image.files.items():
        words += [*_parents(target), "--ro-bind", source, target]
    for target, source in image.links:
        words += [*_parents(target), "--symlink", source, target]
    if service.get("read_only"):
        for folder in (*HIDDEN, "/etc"):
            words += ["--remount-ro", folder] if folder not in service.get("tmpfs", []) else []
    for name, value in _environment(service, image).items():
        words += ["--setenv", name, value]
    return words


def _environment(service: dict[str, Any], image: Image) -> dict[str, str]:
    return {**image.environment, **(service.get("environment") or {})}


def _mounts(machine: Machine, service: dict[str, Any]) -> list[str]:
    words = []
    mounts = [(folder, ["--perms", "1777", "--tmpfs", folder]) for folder in service.get("tmpfs", [])]
    for volume in service.get("volumes", []):
        source = volume["source"] if volume["type"] == "bind" else str(machine.volumes / volume["source"])
        how = "--ro-bind" if volume.get("read_only") else "--bind"
        mounts.append((volume["target"], [how, source, volume["target"]]))
    for secret in service.get("secrets", []):
        target = secret.get("target", f"/run/secrets/{secret['source']}")
        mounts.append((target, ["--ro-bind", str(machine.secrets / secret["source"]), target]))
    for target, mount in sorted(mounts):  # the outer folder first, as Docker does
        words += [*_parents(target), *mount]
    return words


def _parents(target: str) -> list[str]:
    """Make the folders on the way to a place, open for all to pass; Bubblewrap's own would be root's alone."""
    return [word for folder in reversed(Path(target).parents) for word in ("--perms", "0755", "--dir", str(folder))]
