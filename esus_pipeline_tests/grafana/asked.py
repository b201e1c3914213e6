"""What Grafana would ask InfluxDB for: the queries of dashboards and alert rules, with macros and variables expanded.

Grafana's back end replaces exactly four macros in an InfluxQL query ($timeFilter, $interval, $__interval_ms and
$__interval); its front end replaces variables before, here always in the form ${name:regex}.
"""

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

FOLDER = Path(__file__).parents[2] / "grafana"
UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}
WIDEST = 1000
"""Points that a panel as wide as the screen asks for."""

Ask = Callable[[str], list[dict[str, Any]]]


@dataclass(frozen=True)
class Query:
    """One query as InfluxDB gets it, and where it stands."""

    place: str
    text: str


def boards() -> dict[str, dict[str, Any]]:
    """Every committed dashboard by its uid."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((FOLDER / "dashboards").glob("*.json"))]
    return {board["uid"]: board for board in found}


def rule_groups() -> list[dict[str, Any]]:
    """Every provisioned group of alert rules."""
    return list(provisioned("alerting/rules.yaml")["groups"])


def provisioned(name: str) -> Any:
    """A provisioning file, as it is read."""
    return yaml.safe_load((FOLDER / "provisioning" / name).read_text(encoding="utf-8"))


def variable_queries(board: dict[str, Any], values: dict[str, list[str]], now: datetime) -> Iterator[tuple[str, Query]]:
    """Name and query of each variable, in the order in which Grafana resolves them; `values` grows meanwhile."""
    span = _span(board["time"]["from"], board["time"]["to"], now)
    for variable in board["templating"]["list"]:
        text = expand(variable["query"]["query"], span, timedelta(minutes=15), values)
        yield variable["name"], Query(f"{board['uid']} ${variable['name']}", text)


def panel_queries(
    board: dict[str, Any], values: dict[str, list[str]], now: datetime
) -> Iterator[tuple[dict[str, Any], Query]]:
    """Panel and query of everything that a dashboard shows; what repeats comes once per value of its variable."""
    repeat = None
    for panel in board["panels"]:
        if panel["type"] == "row":
            repeat = panel.get("repeat")
            continue
        scopes = [values | {repeat: [value]} for value in values[repeat]] if repeat else [values]
        for scope in scopes:
            for target in panel.get("targets", []):
                place = f"{board['uid']} {panel['title']} {target['refId']} {scope[repeat] if repeat else ''}".strip()
                yield panel, Query(place, _expanded(board, panel, target, scope, now))


def rule_queries(now: datetime) -> Iterator[tuple[dict[str, Any], Query]]:
    """Rule and query of every alert."""
    for group in rule_groups():
        for rule in group["rules"]:
            for part in rule["data"]:
                if part["datasourceUid"] != "__expr__":
                    back = part["relativeTimeRange"]
                    span = (now - timedelta(seconds=back["from"]), now - timedelta(seconds=back["to"]))
                    yield rule, Query(rule["uid"], expand(part["model"]["query"], span, timedelta(minutes=15), {}))


def _expanded(
    board: dict[str, Any], panel: dict[str, Any], target: dict[str, Any], values: dict[str, list[str]], now: datetime
) -> str:
    start, end = board["time"]["from"], board["time"]["to"]
    span = _span(f"now-{panel['timeFrom']}", "now", now) if "timeFrom" in panel else _span(start, end, now)
    points = panel.get("maxDataPoints", WIDEST * panel["gridPos"]["w"] / 24)
    least = _duration(panel["interval"])
    return expand(target["query"], span, max(least, (span[1] - span[0]) / points), values)


def expand(text: str, span: tuple[datetime, datetime], step: timedelta, values: dict[str, list[str]]) -> str:
    """The query with its variables and macros replaced as Grafana does it; ValueError where something is left."""
    for name, chosen in values.items():
        text = text.replace(f"${{{name}:regex}}", _regex(chosen))
    start, end = (round(instant.timestamp() * 1000) for instant in span)
    seconds = round(step.total_seconds())
    text = text.replace("$timeFilter", f"time >= {start}ms and time <= {end}ms")
    text = text.replace("$interval", f"{seconds}s").replace("$__interval_ms", str(seconds * 1000))
    text = text.replace("$__interval", f"{seconds}s")
    if left := re.findall(r"\$\{?\w+", text):
        raise ValueError(f"Grafana would not replace {left} in {text}")
    return text


def has_values(rows: list[dict[str, Any]]) -> bool:
    """Whether anything but times and nothing came back."""
    return any(value is not None for row in rows for name, value in row.items() if name != "time")


def _regex(chosen: list[str]) -> str:
    escaped = [re.sub(r"([\\^$*+?.()|\[\]{}/])", r"\\\1", value) for value in chosen]
    return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def _span(start: str, end: str, now: datetime) -> tuple[datetime, datetime]:
    return _instant(start, now), _instant(end, now)


def _instant(text: str, now: datetime) -> datetime:
    found = re.fullmatch(r"now(?:([+-])(\d+[mhd]))?", text)
    assert found, text
    if not found[1]:
        return now
    return now + _duration(found[2]) * (1 if found[1] == "+" else -1)


def _duration(text: str) -> timedelta:
    return int(text[:-1]) * UNITS[text[-1]]


def resolve(board: dict[str, Any], ask: Ask, now: datetime | None = None) -> dict[str, list[str]]:
    """The variables of a dashboard, as its own queries find them: all rooms, the first of what can only be one."""
    values: dict[str, list[str]] = {}
    several = {variable["name"] for variable in board["templating"]["list"] if variable["multi"]}
    for name, query in variable_queries(board, values, now or datetime.now(UTC)):
        found = sorted(str(row["value"]) for row in ask(query.text))
        assert found, f"{query.place}: no value from {query.text}"
        values[name] = found if name in several else found[:1]
    return values
