"""How many people to expect in a room: the profile of its weekdays, holidays set apart, and how sure that is.

What was seen at the same time of the same kind of day counts, recent weeks more than old ones; other working days count
a little, so that two weeks are enough to begin with; the site's hours stand in until readings outweigh them. In the
next hours the profile bends towards what is seen now. Holidays are those of the site's calendar.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from esus_pipeline.control.model.people import USUAL_SHARE
from esus_pipeline.control.model.room_model import Array
from esus_pipeline.frames import STEP
from esus_pipeline.site import Site

HALF_LIFE = 28.0
"""Days after which a day of the past counts half."""
OTHER_WORKDAY = 0.2
"""What a working day counts for another weekday."""
PRIOR_DAYS = 1.0
"""Days of readings that the site's hours count as."""
AROUND = {-1: 0.25, 0: 0.5, 1: 0.25}
"""Quarters of an hour around one -> what they count for it: people are not punctual to a quarter."""
BEND = 2.0
"""Hours in which a surprise fades to 1/e."""
LAST = 4
"""Quarters of an hour before a forecast that tell a surprise."""
QUARTERS = 96
FREE_DAY = 7
"""Kind of a holiday; 0 to 6 are Monday to Sunday."""
KINDS = 8

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Occupancy:
    """People expected in a room in each quarter of an hour (N,)."""

    times: pd.DatetimeIndex
    expected: Array
    """Persons, mean over the quarter."""
    low: Array
    """10th percentile of that mean."""
    high: Array
    """90th percentile of that mean."""
    somebody: Array
    """0..1, how likely somebody is there at a moment of the quarter."""
    days: float
    """Days of readings behind it, as they count; 0 is the site's hours alone."""
    until: pd.Timestamp | None
    """End of those readings."""


@dataclass(frozen=True)
class Habits:
    """What the past days of one room tell of its people, by kind of day and quarter of an hour; (KINDS, QUARTERS)."""

    mean: Array
    """Persons."""
    low: Array
    """10th percentile."""
    high: Array
    """90th percentile."""
    somebody: Array
    """0..1, share of the time with somebody there."""
    known: Array
    """Days of readings behind each value, as they count."""
    days: float
    """Days of readings behind all of it."""
    until: pd.Timestamp
    """End of the last reading behind it."""


def learn(seen: "pd.Series[float]", site: Site) -> Habits | None:
    """The habits of a room on the day after the last one seen; None where nothing was seen.

    Args:
        seen: persons present in the past, on the 15-minute grid with UTC times; NaN is unknown.
        site: the building, with its country.
    """
    if not seen.notna().any():
        return None
    table, days = _by_day(seen, site)
    kinds = day_kinds(site, (days + pd.Timedelta(hours=12)).tz_localize(site.zone))
    recent = 0.5 ** (np.arange(len(days))[::-1] / HALF_LIFE)
    weights = [recent * _likeness(site, kind, kinds) for kind in range(KINDS)]
    profiles = (_profile(table, weight) for weight in weights)
    mean, low, high, somebody = (np.stack(part) for part in zip(*profiles, strict=True))
    known = np.stack([_known_weight(table, weight) for weight in weights])
    return Habits(mean, low, high, somebody, known, float(recent.sum()), seen.dropna().index[-1] + STEP)


def forecast(
    habits: Mapping[str, Habits | None],
    recent: Mapping[str, "pd.Series[float]"],
    site: Site,
    times: pd.DatetimeIndex,
) -> dict[str, Occupancy]:
    """People in every room of the site; rooms of which nothing is known have the site's hours.

    Args:
        habits: by room, from `learn`; the same habits serve all forecasts of a day.
        recent: by room, persons present in the last hour before times[0] at least, as `learn` takes them.
        site: the building.
        times: 15-minute steps to forecast, UTC, ascending.
    """
    last = pd.date_range(times[0] - LAST * STEP, periods=LAST, freq=STEP)
    known = pd.DatetimeIndex(last.append(times))
    kinds = day_kinds(site, known)
    ahead = _Ahead(times, last, kinds, _quarter(site, known), _hours(site, known, kinds) * USUAL_SHARE)
    return {room.id: _room(habits.get(room.id), recent.get(room.id), room.occupants, ahead) for room in site.rooms}


def day_kinds(site: Site, times: pd.DatetimeIndex) -> Ints:
    """(N,) kind of the local day of each time: weekday, 0 is Monday, or FREE_DAY for a holiday."""
    days = times.tz_convert(site.zone).normalize()
    known, row = np.unique(days.strftime("%Y-%m-%d").to_numpy(str), return_inverse=True)
    dates = [datetime.fromisoformat(day).date() for day in known]
    kinds = [FREE_DAY if site.calendar.is_holiday(date) else date.weekday() for date in dates]
    return np.array(kinds, dtype=np.int64)[row]


@dataclass(frozen=True)
class _Ahead:
    """What all rooms share of the N times to forecast; arrays begin with the LAST ones before them."""

    times: pd.DatetimeIndex
    last: pd.DatetimeIndex
    kinds: Ints
    quarter: Ints
    share: Array
    """Of a room's people, by the site's hours."""


def _room(habits: Habits | None, recent: "pd.Series[float] | None", full: float, ahead: _Ahead) -> Occupancy:
    """Where habits tell little, the band in the site's hours is as wide as the room is large."""
    assumed = ahead.share * full
    most = np.where(assumed > 0, full, 0.0)
    expected, low, high, somebody = assumed, np.zeros(len(assumed)), most, -np.expm1(-assumed)
    if habits is not None:
        mean, lower, upper, there, known = (
            each[ahead.kinds, ahead.quarter]
            for each in (habits.mean, habits.low, habits.high, habits.somebody, habits.known)
        )
        share = known / (known + PRIOR_DAYS)
        expected, low = share * mean + (1 - share) * assumed, share * lower
        high = share * upper + (1 - share) * np.maximum(most, upper)
        somebody = share * there + (1 - share) * somebody
    seen = _seen(recent, ahead.last)
    people = np.maximum(_bend(expected, seen, expected > 0.05 * full), 0.0)
    return Occupancy(
        times=ahead.times,
        expected=people,
        low=np.minimum(low[LAST:], people),
        high=np.maximum(high[LAST:], people),
        somebody=np.clip(_bend(somebody, _anybody(seen), expected > 0.05 * full), 0.0, 1.0),
        days=habits.days if habits else 0.0,
        until=habits.until if habits else None,
    )


def _seen(recent: "pd.Series[float] | None", times: pd.DatetimeIndex) -> Array:
    """Persons seen at the times, NaN where unknown."""
    if recent is None:
        return np.full(len(times), np.nan)
    return np.asarray(recent.reindex(times), dtype=float)


def _by_day(seen: "pd.Series[float]", site: Site) -> tuple[Array, pd.DatetimeIndex]:
    """(D, QUARTERS) persons by local day, NaN where unknown; and the days."""
    times = pd.DatetimeIndex(seen.index)
    local = times.tz_convert(site.zone)
    frame = pd.DataFrame({"day": local.normalize().tz_localize(None), "quarter": _quarter(site, times)})
    frame["people"] = seen.to_numpy(float)
    table = frame.pivot_table(index="day", columns="quarter", values="people", aggfunc="mean", dropna=False)
    days = pd.date_range(table.index.min(), table.index.max(), freq="D")
    return table.reindex(index=days, columns=range(QUARTERS)).to_numpy(float), days


def _likeness(site: Site, kind: int, kinds: Ints) -> Array:
    """What each day of the past counts for a kind of day: holidays are like each other and like days off."""
    work = set(site.occupancy.weekdays)
    own_work, their_work = kind in work, np.isin(kinds, list(work))
    alike = np.where(their_work, OTHER_WORKDAY, 0.0) if own_work else np.where(their_work, 0.0, 0.5)
    return np.where(kinds == kind, 1.0, alike)


def _known_weight(table: Array, weight: Array) -> Array:
    return np.asarray((weight[:, None] * ~np.isnan(table)).sum(axis=0))


def _profile(table: Array, weight: Array) -> tuple[Array, Array, Array, Array]:
    """(QUARTERS,) mean, 10th and 90th percentile and how likely somebody is, over the days; 0 where no day tells.

    What was seen in the quarters AROUND one counts for it as well.
    """
    near = np.concatenate([np.roll(table, -quarter, axis=1) for quarter in AROUND])
    known = ~np.isnan(near)
    weights = np.concatenate([weight * share for share in AROUND.values()])[:, None] * known
    total = np.maximum(weights.sum(axis=0), 1e-9)
    values = np.where(known, near, 0.0)
    mean, somebody = ((weights * part).sum(axis=0) / total for part in (values, _anybody(values)))
    order = np.argsort(np.where(weights > 0, values, np.inf), axis=0)
    ranked = np.take_along_axis(values, order, axis=0)
    reached = np.cumsum(np.take_along_axis(weights, order, axis=0), axis=0) / total
    picks = [np.argmax(reached >= level - 1e-9, axis=0) for level in (0.1, 0.9)]
    low, high = (np.take_along_axis(ranked, pick[None], axis=0)[0] for pick in picks)
    told = (weights > 0).any(axis=0)
    return mean, np.where(told, low, 0.0), np.where(told, high, 0.0), somebody


def _anybody(people: Array) -> Array:
    """0..1, share of the time with somebody there: half a person is one for half of the time."""
    return np.minimum(people, 1.0)


def _bend(profile: Array, seen: Array, possible: Mask) -> Array:
    """(N,) of a profile (LAST + N,) moved by how far what was seen (LAST,) was from it, where that is `possible`."""
    told = ~np.isnan(seen)
    ahead = profile[LAST:]
    if not told.any():
        return ahead
    surprise = float((seen - profile[:LAST])[told].mean())
    hours = np.arange(len(ahead)) * (STEP / timedelta(hours=1))
    return np.asarray(ahead + surprise * np.exp(-hours / BEND) * possible[LAST:])


def _quarter(site: Site, times: pd.DatetimeIndex) -> Ints:
    local = times.tz_convert(site.zone)
    return np.asarray((local.hour * 60 + local.minute) // int(STEP.total_seconds() // 60), dtype=np.int64)


def _hours(site: Site, times: pd.DatetimeIndex, kinds: Ints) -> Array:
    """1 in the site's working hours, 0 outside them and on holidays."""
    hours = site.occupancy
    quarter = _quarter(site, times)
    first, last = (moment.hour * 4 + moment.minute / 15 for moment in (hours.start, hours.end))
    return np.where(np.isin(kinds, list(hours.weekdays)) & (quarter >= first) & (quarter < last), 1.0, 0.0)
