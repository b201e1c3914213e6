"""One sentence per stretch of a room's setpoints: why it is heated, held or set back. Times are local."""

from collections.abc import Collection, Mapping
from enum import IntEnum
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.inputs import STEPS, Array, Horizon, Mask
from esus_pipeline.control.measured import NOW
from esus_pipeline.control.optimiser.follow import Commands
from esus_pipeline.control.setpoints import RAMP, SAME, Setpoints, held_band
from esus_pipeline.control.stretch import LONGEST, clock_words


class _Kind(IntEnum):
    SETBACK = 0
    COMFORT = 1
    AHEAD = 2
    HEATED = 3
    COOLED = 4
    WINDOW = 5
    COASTING = 6


def explain_setpoints(
    horizon: Horizon,
    setpoints: Setpoints,
    commands: Commands,
    followed: Collection[int],
    warmed: Collection[int],
    why: Mapping[str, str],
) -> npt.NDArray[np.object_]:
    """(R, N) sentences for the commands.

    `followed` are the rooms that are preheated by their model, `warmed` those whose slow radiators have been heated for
    work; `why` says of rooms why they have no optimum.
    """
    sentences = np.empty(commands.heating.shape, dtype=object)
    kinds = _kinds(horizon, setpoints, commands, warmed)
    for room, name in enumerate(horizon.site.room_ids):
        ramp = f"calendar's ramp{f', because {why[name]}' if why.get(name) else ''}"
        basis = "as late as the room's model allows" if room in followed else ramp
        edges = [0, *(int(step) + 1 for step in np.flatnonzero(np.diff(kinds[room]))), STEPS]
        for first, last in pairwise(edges):
            heating, cooling = commands.heating[room, first:last], commands.cooling[room, first:last]
            told = _sentence(_Kind(kinds[room, first]), horizon, setpoints, first, last, heating, cooling)
            if kinds[room, first] == _Kind.HEATED and not told.startswith("eased"):
                told = f"{told}; {basis}"
            sentences[room, first:last] = told[:LONGEST]
    return sentences


def _kinds(
    horizon: Horizon, setpoints: Setpoints, commands: Commands, warmed: Collection[int]
) -> npt.NDArray[np.int64]:
    """(R, N) what decided the setpoints."""
    warm, _ = held_band(horizon.site)
    setback = horizon.site.comfort.unoccupied
    kinds = np.full(commands.heating.shape, _Kind.SETBACK, dtype=np.int64)
    kinds[commands.cooling < setback.high - SAME] = _Kind.COOLED
    heated = commands.heating > setback.low + SAME
    coasting = ~np.logical_or.accumulate(heated | setpoints.occupied, axis=1)
    coasting &= np.isin(np.arange(len(kinds)), list(warmed))[:, None]
    kinds[coasting] = _Kind.COASTING
    kinds[heated] = _Kind.HEATED
    kinds[:, setpoints.occupied] = _Kind.COMFORT
    kinds[setpoints.occupied & (commands.heating > warm + SAME)] = _Kind.AHEAD
    kinds[np.nan_to_num(horizon.measured.window_open) > 0, :NOW] = _Kind.WINDOW
    return kinds


def _sentence(
    kind: _Kind, horizon: Horizon, setpoints: Setpoints, first: int, last: int, heating: Array, cooling: Array
) -> str:
    since = f" from {_clock(horizon, first, first)}," if first else ""
    end = _clock(horizon, last, first)
    band = f"{heating[0]:.1f} .. {cooling[0]:.1f} degC"
    by = f" by {end}" if last < STEPS else ""
    if kind == _Kind.WINDOW:
        return f"a window is open: no heating or cooling within {band}"
    if kind == _Kind.COMFORT:
        return f"comfort band {band}: people are expected {_until(horizon, ~setpoints.occupied, first)}"
    if kind == _Kind.COASTING:
        return (
            f"not heated any more: what the radiators hold warms the room {_until(horizon, setpoints.occupied, first)}"
        )
    if kind == _Kind.AHEAD:
        return f"heated ahead of time, up to {heating.max():.1f} degC, by at most {RAMP:g} K an hour"
    if kind == _Kind.COOLED:
        ahead = horizon.site.control.precool_minutes
        at_once = cooling[0] - cooling[-1] < SAME
        basis = f"control.precool_minutes, {ahead} before work" if ahead and at_once else "calendar's ramp"
        return f"cooled only above {cooling[-1]:.1f} degC{by}; {basis}"
    if kind == _Kind.HEATED and heating[-1] < heating[0]:
        return f"eased back from {heating[0]:.1f} degC since people left"
    if kind == _Kind.HEATED:
        return f"heated{since} to {heating[-1]:.1f} degC{by}"
    return f"set back to {band}: nobody is expected {_until(horizon, setpoints.occupied, first)}"


def _until(horizon: Horizon, ends: Mask, first: int) -> str:
    """Until when, by the first step from `first` on at which it ends; the plan may be over before."""
    found = np.flatnonzero(ends[first:])
    last = first + int(found[0]) if len(found) else STEPS
    return f"{'until' if len(found) else 'at least until'} {_clock(horizon, last, first)}"


def _clock(horizon: Horizon, step: int, own: int) -> str:
    return clock_words(horizon.local[step], horizon.local[own])
