"""Ten days of the same plant under two controllers, and the tables that a pipeline would hold of the first life.

The difference between the lives is the truth that `savings` must find from the first life alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.control.evaluation.loop import Run, close_loop
from esus_pipeline.control.evaluation.optimal import room_rows
from esus_pipeline.control.evaluation.rules import Sg01, Tuned
from esus_pipeline.frames import (
    ELECTRICITY_PRICE,
    SHADE_SETPOINT_SCHEDULE,
    SOLAR_GAIN,
    STEP,
    WEATHER_FORECAST,
)
from esus_pipeline.plants.rc import RcPlant
from esus_pipeline.readings import room_frame
from esus_pipeline.site import Site
from esus_pipeline.solar import pane_gains, room_gains

DAYS = 10


@dataclass(frozen=True)
class Lives:
    """`plan` is the first life, `rule` the second; `site` is what the operator believes."""

    site: Site
    start: datetime
    plan: Run
    rule: Run

    @property
    def days(self) -> list[datetime]:
        return [self.start + timedelta(days=day) for day in range(DAYS)]

    def cost(self, run: Run) -> "pd.Series[float]":
        """True cost by day and room."""
        rows, tariffs = run.rows, self.site.tariffs
        cost = rows["heat_kwh"] * tariffs.heat + rows["cooling_kwh"] / tariffs.cooling_cop * rows["price"]
        return cost.groupby([rows["time"].dt.floor("D"), rows["room"]]).sum()


class _Heard:
    """A controller that is overheard."""

    def __init__(self, controller):
        self._controller, self.observations, self.commands = controller, [], []

    def decide(self, observation):
        self.observations.append(observation)
        self.commands.append(self._controller.decide(observation))
        return self.commands[-1]


def live_twice(archive: Archive, start: str = "2026-01-12", seed: int = 1, rooms: int = 1) -> Lives:
    """Live under the tuned rule, in the place of the plan, and under today's; the archive gets the first life."""
    begin = datetime.fromisoformat(start).replace(tzinfo=UTC)
    site = _small(RcPlant().site, rooms)
    plant = RcPlant(site=site)
    heard, other = _Heard(Tuned(site)), _Heard(Sg01(site))
    lives = Lives(
        site=site,
        start=begin,
        plan=close_loop(plant, heard, "plan", begin, DAYS, seed),
        rule=close_loop(plant, other, "rule", begin, DAYS, seed),
    )
    _store(archive, lives, heard, other, plant.observe())
    return lives


def _small(site: Site, rooms: int) -> Site:
    kept = site.rooms[:rooms]
    groups = {
        name: group.model_copy(update={"rooms": tuple(room.id for room in kept if room.id in group.rooms)})
        for name, group in site.shade_groups.items()
    }
    groups = {name: group for name, group in groups.items() if group.rooms}
    ids = {room.id for room in kept}
    points = tuple(point for point in site.points if point.room is None or point.room in ids)
    facts = {name: getattr(site, name) for name in Site.model_fields}
    return Site(**{**facts, "rooms": kept, "shade_groups": groups, "points": points})


def _store(archive: Archive, lives: Lives, heard: _Heard, other: _Heard, last) -> None:
    site = lives.site
    names = room_frame(site).schema.names
    seen = [*heard.observations[1:], last]
    rows = pd.concat([room_rows(site, each) for each in seen], ignore_index=True).reindex(columns=names)
    archive.merge(room_frame(site), rows.astype(dict.fromkeys(names[2:], float)))
    told = heard.observations[:: timedelta(days=1) // STEP]
    issues = [each.forecast.assign(issued_at=pd.Timestamp(each.time)) for each in told]
    archive.merge(WEATHER_FORECAST, pd.concat(issues))
    archive.merge(SOLAR_GAIN, pd.concat([room_gains(site, pane_gains(site, issue)) for issue in issues]))
    plans = [
        {
            "issued_at": each.time,
            "room": room,
            "valid_time": each.time,
            "shade_position": told[room].shade_position,
            "heating_setpoint": told[room].heating_setpoint,
            "cooling_setpoint": told[room].cooling_setpoint,
            "reason": "because",
            "rule": "open_no_sun",
            "baseline_shade_position": rule[room].shade_position,
        }
        for each, told, rule in zip(heard.observations, heard.commands, other.commands, strict=True)
        for room in site.room_ids
    ]
    archive.merge(SHADE_SETPOINT_SCHEDULE, pd.DataFrame(plans).reindex(columns=SHADE_SETPOINT_SCHEDULE.schema.names))
    prices = lives.plan.rows.drop_duplicates("time")
    archive.merge(
        ELECTRICITY_PRICE,
        pd.DataFrame({"issued_at": lives.start, "valid_time": prices["time"]}).assign(
            price_area=site.tariffs.price_area,
            interval_minutes=15,
            price=prices["price"] - site.tariffs.electricity_surcharge,
            source="test",
        ),
    )
