"""The twin as a source of readings. Belongs here: weeks on demand, kept while they are used."""

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Protocol

import numpy as np

from esus_pipeline.simulator.building import FACADES, draw_building
from esus_pipeline.simulator.delivery import Readings, deliver
from esus_pipeline.simulator.noise import MINUTE, Ints
from esus_pipeline.simulator.rhythm import phase_of, rhythm_of, speak, stamp_ms
from esus_pipeline.simulator.sensors import measure
from esus_pipeline.simulator.weather import Weather
from esus_pipeline.simulator.week import HISTORY_MINUTES, WEEK_MINUTES, Truth, simulate_weeks, week_of, week_start
from esus_pipeline.site import Site

_KEPT_WEEKS = 16
_SIDE_BY_SIDE = 6
_NOTHING = Readings(np.array([], np.int64), np.array([]), np.array([], np.int64))


class UnknownTwinError(ValueError):
    """The site has no twin: its readings must be replayed."""


class Source(Protocol):
    """Where readings come from: the twin or a recording."""

    def readings(self, ids: Iterable[int], start_ms: int, end_ms: int, now_ms: int) -> Mapping[int, Readings]:
        """Readings of each id stamped in [start, end] that have arrived by `now`; milliseconds since 1970."""


class Twin:
    """A simulated building with the points, rooms and facades of `site`. Safe to use from several threads."""

    def __init__(self, site: Site, seed: int) -> None:
        """The building for this seed; UnknownTwinError where the site has none."""
        facades = {room.windows[0].facade for room in site.rooms}
        if site.name != "tmv23" or not facades <= set(FACADES):
            raise UnknownTwinError(
                f"site {site.name!r} has no twin, only tmv23 has one; serve recorded readings with --replay FILE"
            )
        place = site.place
        self.site, self.seed = site, seed
        self._weather = Weather(seed, place.latitude, place.longitude, place.altitude)
        self._building = draw_building(site, seed)
        self._points = {point.id: point for point in site.points}
        self._weeks: OrderedDict[int, dict[int, Readings]] = OrderedDict()
        self._lock = Lock()

    def readings(self, ids: Iterable[int], start_ms: int, end_ms: int, now_ms: int) -> Mapping[int, Readings]:
        """See Source. What lies in the future costs nothing."""
        known = [point_id for point_id in ids if point_id in self._points]
        last_ms = min(end_ms, now_ms)
        if not known or last_ms < start_ms:
            return {}
        numbers = range(week_of(start_ms // 1000), week_of(last_ms // 1000) + 1)
        found: dict[int, list[Readings]] = {point_id: [] for point_id in known}
        for first in range(0, len(numbers), _SIDE_BY_SIDE):
            for week in self._load(list(numbers[first : first + _SIDE_BY_SIDE])):
                for point_id in known:
                    found[point_id].append(week[point_id].between(start_ms, last_ms, now_ms))
        return {point_id: _join(parts) for point_id, parts in found.items()}

    def _load(self, numbers: list[int]) -> list[dict[int, Readings]]:
        with self._lock:
            absent = [number for number in numbers if number not in self._weeks]
            if absent:
                truths = simulate_weeks(self.site, self._building, self._weather, absent)
                self._weeks |= {number: self._log(number, truth) for number, truth in truths.items()}
            for number in numbers:
                self._weeks.move_to_end(number)
            loaded = [self._weeks[number] for number in numbers]
            while len(self._weeks) > _KEPT_WEEKS:
                self._weeks.popitem(last=False)
            return loaded

    def _log(self, number: int, truth: Truth) -> dict[int, Readings]:
        """The readings of every point in one week; a point of a quantity that the twin has not never speaks."""
        minute: Ints = week_start(number) // MINUTE + np.arange(-HISTORY_MINUTES, WEEK_MINUTES, dtype=np.int64)
        logged = {}
        for point in self.site.points:
            if (point.room, point.quantity) not in truth:
                logged[point.id] = _NOTHING
                continue
            values = measure(point, self.seed, minute * MINUTE, truth[point.room, point.quantity])
            spoken = speak(rhythm_of(point), phase_of(point, self.seed), minute, values, HISTORY_MINUTES)
            stamp = stamp_ms(point, self.seed, minute[spoken])
            logged[point.id] = deliver(point, self.seed, stamp, np.round(values[spoken], 4))
        return logged


def _join(parts: list[Readings]) -> Readings:
    if not parts:
        return _NOTHING
    return Readings(
        *(np.concatenate([getattr(part, name) for part in parts]) for name in ("stamp", "value", "arrival"))
    )
