"""Two rules that a plan is compared with: what the building does today, and a good rule that is tuned in part.

Both answer to what is measured, command every 15 minutes and obey the same wind limits. Rooms of a shade group move
together. Belongs here: rules without a forecast. Does not belong here: the product's own controller (see optimal).
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from esus_pipeline.control.evaluation.protocol import GLARE_ABOVE, Command, Observation
from esus_pipeline.control.groups import shade_groups
from esus_pipeline.control.rules import CLOSED, OPEN
from esus_pipeline.control.setpoints import held_band
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

_DAY = timedelta(days=1)


class WindGuard:
    """Shades are up from the retract limit until the hold time after the release limit, and without a reading."""

    def __init__(self, site: Site) -> None:
        self._wind = site.wind
        self._until: datetime | None = None

    def blocked(self, now: datetime, speed: float) -> bool:
        """Whether the shades must be up, now that the wind is `speed` (m/s, NaN for not measured)."""
        hold = timedelta(minutes=self._wind.hold_minutes)
        if np.isnan(speed) or speed > self._wind.retract_above:
            self._until = now + hold
        elif self._until is not None and now >= self._until:
            self._until = None
        elif self._until is not None and speed > self._wind.release_below:
            self._until = now + hold
        return self._until is not None


class Sg01:
    """What TMV23 does today: sun-sensor thresholds per shade group, setpoints by the clock.

    21 degC by day (from two hours before work), 18 degC by night, cooling from 25 degC: the as-built rule of an office
    of its age, kinder to the comparison than the twin's panel settings (22 degC +- 1 K with somebody there).
    """

    DAY, NIGHT, COOL = 21.0, 18.0, 25.0
    LEAD = timedelta(hours=2)

    def __init__(self, site: Site) -> None:
        self._site, self._guard = site, WindGuard(site)
        self._down: dict[int, bool] = {}

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        site = self._site
        blocked = self._guard.blocked(observation.time, observation.wind_speed)
        shade = dict.fromkeys(site.room_ids, OPEN)
        for number, members in enumerate(shade_groups(site)):
            names = [site.room_ids[member] for member in members]
            group = next((group for group in site.shade_groups.values() if names[0] in group.rooms), None)
            above, below = (group.close_above, group.open_below) if group else (250.0, 120.0)
            sun = _sunniest(observation, names)
            if sun > above or sun < below:
                self._down[number] = sun > above
            down = self._down.get(number, False) and not blocked
            shade |= dict.fromkeys(names, CLOSED if down else OPEN)
        day = hours_to_work(site, observation.time) <= self.LEAD
        heating = self.DAY if day else self.NIGHT
        return {room: Command(shade[room], heating, self.COOL) for room in site.room_ids}


@dataclass(frozen=True)
class Tuning:
    """Numbers of the tuned rule, where nothing is known of the building an engineer's; see TUNED."""

    mild: float = 12.0
    """degC, mean of the last 24 hours outdoors, above which the sun is unwelcome."""
    warm_when_mild: float = 24.0
    warm_when_cold: float = 25.0
    """degC in the warmest room of a group from which it is shaded."""
    sun_above: float = 150.0
    sun_below: float = 80.0
    """W/m2 on the facade from which it is shaded, and below which it is opened again."""
    dwell: timedelta = timedelta(hours=1)
    """A shade stays down at least this long, wind apart."""
    rise: float = 1.0
    """K/h that a room warms up with at 0 degC outdoors; preheating begins that much before work."""
    rise_per_outdoor: float = 0.03
    """K/h more for every degree outdoors."""
    precool: timedelta = timedelta(hours=1)
    """Cooling to the occupied band begins that much before work."""


TUNED = {
    "tmv23": Tuning(warm_when_mild=25.0, sun_above=250.0, rise=3.0, precool=timedelta(0)),
    "eplus-office": Tuning(rise=2.0, precool=timedelta(hours=6)),
}
"""Site -> numbers that evaluation.tuning found for the plant of that name; docs/decisions/0019-evaluation.md."""


class Tuned:
    """A rule without a forecast, tuned for the building.

    Optimum start, deep setback, the widest band that comfort allows; shades that let the sun in while it is cold, keep
    it out when a room is warm, and spare people its glare.
    """

    def __init__(self, site: Site, tuning: Tuning | None = None) -> None:
        self._site, self._guard, self._tuning = site, WindGuard(site), tuning or TUNED.get(site.name, Tuning())
        self._down: dict[int, datetime] = {}
        self._outdoor: deque[float] = deque(maxlen=_DAY // STEP)
        self._present: dict[str, datetime] = {}

    def decide(self, observation: Observation) -> Mapping[str, Command]:
        """See Controller."""
        site, tuning, now = self._site, self._tuning, observation.time
        if np.isfinite(observation.outdoor_temperature):
            self._outdoor.append(observation.outdoor_temperature)
        for room, reading in observation.rooms.items():
            if reading.presence > 0:
                self._present[room] = now
        blocked = self._guard.blocked(now, observation.wind_speed)
        shade = dict.fromkeys(site.room_ids, OPEN)
        for number, members in enumerate(shade_groups(site)):
            names = [site.room_ids[member] for member in members]
            down = self._shade(observation, number, names) and not blocked
            shade |= dict.fromkeys(names, CLOSED if down else OPEN)
        gap = hours_to_work(site, now)
        cooling = held_band(site)[1] if gap <= tuning.precool else site.comfort.unoccupied.high
        return {room: Command(shade[room], self._heating(observation, room, gap), cooling) for room in site.room_ids}

    def _shade(self, observation: Observation, number: int, names: list[str]) -> bool:
        tuning, now = self._tuning, observation.time
        sun = _sunniest(observation, names)
        mild = bool(self._outdoor) and float(np.mean(self._outdoor)) > tuning.mild
        limit = tuning.warm_when_mild if mild else tuning.warm_when_cold
        warmest = max(observation.rooms[name].air_temperature for name in names)
        seen = [self._present[name] for name in names if name in self._present]
        present = bool(seen) and now - max(seen) <= timedelta(minutes=30)
        wanted = (sun > tuning.sun_above and warmest > limit) or (present and sun > GLARE_ABOVE)
        since = self._down.get(number)
        if wanted:
            self._down.setdefault(number, now)
        elif since is not None and now - since >= tuning.dwell and (sun < tuning.sun_below or warmest < limit - 1):
            del self._down[number]
        return number in self._down

    def _heating(self, observation: Observation, room: str, gap: timedelta) -> float:
        """Setback, the band's low end in working hours, and before them as early as the room needs to get there."""
        tuning = self._tuning
        low, _ = held_band(self._site)
        if gap <= timedelta(0):
            return low
        outdoor = observation.outdoor_temperature
        rise = tuning.rise + tuning.rise_per_outdoor * (outdoor if np.isfinite(outdoor) else 0.0)
        lead = timedelta(hours=(low - observation.rooms[room].air_temperature) / max(rise, 0.2))
        return low if gap <= lead + STEP else self._site.comfort.unoccupied.low


def hours_to_work(site: Site, now: datetime) -> timedelta:
    """Time until the calendar next expects people; zero in working hours, 8 days where nobody comes for a week."""
    local = now.astimezone(site.zone)
    for ahead in range(8):
        date = local.date() + timedelta(days=ahead)
        if not site.is_working_day(date):
            continue
        begin, end = (
            datetime.combine(date, clock, tzinfo=site.zone) for clock in (site.occupancy.start, site.occupancy.end)
        )
        if now < end:
            return max(begin - now, timedelta(0))
    return timedelta(days=8)


def _sunniest(observation: Observation, names: list[str]) -> float:
    """W/m2 on the sunniest facade of a group's rooms; 0 where none is measured."""
    return max((sun for name in names if np.isfinite(sun := observation.rooms[name].facade_irradiance)), default=0.0)
