"""Sentences for what the optimum wants; see explanation for how a sentence begins and what it may contain."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from esus_pipeline.control.forecast_rule import SUN_ON_FACADE
from esus_pipeline.control.inputs import PAST, Array
from esus_pipeline.control.optimiser.outlook import LIGHT
from esus_pipeline.control.rules import Rule
from esus_pipeline.control.stretch import LONGEST, Stretch
from esus_pipeline.control.wish import OptimumView, excess
from esus_pipeline.frames import STEP

EARLY = 4
"""Steps between the sun and a lowered shade that need a word of their own."""


@dataclass(frozen=True)
class OptimumWords:
    """What the sentences of one group draw on."""

    view: OptimumView
    members: list[int]
    predicted: Array
    """(R, N) degC with the plan carried out."""

    def sentence(self, rule: Rule, stretch: Stretch) -> str:
        """Why a stretch is as the optimum wants it."""
        if rule in (Rule.SHADE_FOR_COMFORT, Rule.SHADE_FOR_COST):
            why = self._too_warm(stretch) if rule == Rule.SHADE_FOR_COMFORT else self._kept_out(stretch)
            told = f"{stretch.lead}: {self._arrival(stretch)}; {why}"
            return _as_fits(told, self._view_cost(stretch), self._night(stretch))
        if rule == Rule.OPEN_NO_SUN:
            return f"{stretch.lead}: {self._no_sun(stretch)}"
        return self._open(rule, stretch)

    def _facade(self, stretch: Stretch) -> Array:
        return np.nan_to_num(np.fmax.reduce(stretch.horizon.irradiance[self.members, PAST:]))

    def _sunny(self, stretch: Stretch) -> npt.NDArray[np.int64]:
        """Steps of the stretch with the sun on the facade."""
        facade = self._facade(stretch)[stretch.first : stretch.last]
        return np.asarray(stretch.first + np.flatnonzero(facade > SUN_ON_FACADE))

    def _arrival(self, stretch: Stretch) -> str:
        sunny = self._sunny(stretch)
        if not len(sunny):
            return f"nobody is expected, and {self._sky(stretch)}"
        if sunny[0] == stretch.first:
            return f"the sun is on the {stretch.facade} until {stretch.clock(int(sunny[-1]) + 1)}"
        early = "nobody is expected, and " if sunny[0] - stretch.first > EARLY else ""
        return f"{early}the sun reaches the {stretch.facade} at {stretch.clock(int(sunny[0]))}"

    def _night(self, stretch: Stretch) -> str:
        """What is said of a shade that stays down when the sun has gone."""
        sunny = self._sunny(stretch)
        after = len(sunny) > 0 and stretch.last - sunny[-1] > EARLY
        return "stays down when the sun has gone, for nobody is expected" if after else ""

    def _sky(self, stretch: Stretch) -> str:
        """Of a stretch without sun: the brightest it gets, or the morning that a night ends in."""
        facade = self._facade(stretch)
        brightest = float(facade[stretch.first : stretch.last].max())
        if brightest > LIGHT:
            until = stretch.clock(stretch.last)
            return f"the sky sends up to {brightest:.0f} W/m2 on the {stretch.facade} until {until}"
        light = stretch.last + np.flatnonzero(facade[stretch.last :] > LIGHT)
        until = f"; the light comes back at {stretch.clock(int(light[0]))}" if len(light) else ""
        return f"it is dark{until}"

    def _too_warm(self, stretch: Stretch) -> str:
        facade = self._facade(stretch)
        over = excess(self.view, stretch.setpoints, facade, self.members, stretch.first, stretch.last)
        own = self.members.index(stretch.room)
        decisive = own if over[own].max() > 0 else int(over.max(axis=1).argmax())
        peak = stretch.first + int(over[decisive].argmax())
        room = self.members[decisive]
        name = stretch.horizon.site.room_ids[room]
        warm, limit = self.view.open_air[room, peak], stretch.setpoints.limit[peak]
        told = f"limit {limit:.1f}" if warm > limit else f"limit {limit:.1f} less {self.view.margin:g} for errors"
        until = min(peak, stretch.last)
        together = "" if decisive == own else f"; {stretch.name} moves with it"
        energy = stretch.sun(room, stretch.first, until)
        if peak <= stretch.first or not energy >= 0.05:
            return f"{name} is at {warm:.1f} degC already, {told}{together}"
        lift = f"{energy:.1f} kWh by {stretch.clock(until)} would lift {name} to {warm:.1f} degC"
        return f"{lift}, {told}{together}"

    def _kept_out(self, stretch: Stretch) -> str:
        shaded = stretch.horizon.gain_open[self.members] - stretch.horizon.gain_shaded[self.members]
        energy = float(np.nansum(shaded[:, stretch.first : stretch.last])) * STEP.total_seconds() / 3.6e6
        rooms = "the room" if len(self.members) == 1 else f"{len(self.members)} rooms"
        return f"it keeps {energy:.1f} kWh out of {rooms}, which costs less than cooling or an uneasy margin"

    def _view_cost(self, stretch: Stretch) -> str:
        hours = float(np.sum(stretch.setpoints.occupied[stretch.first : stretch.last])) * STEP.total_seconds() / 3600
        return f"costs {hours:.1f} h of view" if hours else "nobody is expected to miss the view"

    def _no_sun(self, stretch: Stretch) -> str:
        facade = self._facade(stretch)
        today = stretch.horizon.day == stretch.horizon.day[stretch.first]
        sunny = np.flatnonzero((facade > SUN_ON_FACADE) & today)
        if not len(sunny):
            brightest = float(facade[today].max())
            what = f"little sun on the {stretch.facade}, at most {brightest:.0f} W/m2" if brightest >= 1 else ""
            return what or f"no sun on the {stretch.facade}"
        if sunny[-1] < stretch.first:
            return f"the sun has left the {stretch.facade}"
        later = sunny[sunny >= stretch.first]
        return f"the sun reaches the {stretch.facade} at {stretch.clock(int(later[0]))}"

    def _open(self, rule: Rule, stretch: Stretch) -> str:
        horizon = stretch.horizon
        why = "the heat of the sun" if rule == Rule.OPEN_FOR_GAIN else "daylight and view"
        lead = stretch.lead if stretch.closed_before else f"{stretch.lead} for {why}"
        energy = stretch.sun(stretch.room, stretch.first, stretch.last)
        own = self.predicted[stretch.room, stretch.first : min(stretch.last + 1, horizon.steps)]
        if not np.isfinite(own).any() or not np.isfinite(energy):
            return f"{lead}: the rooms of its group stay within their limits; no prediction for {stretch.name} itself"
        peak = stretch.first + int(np.nanargmax(own))
        limit = stretch.setpoints.limit[peak]
        warm = f"{stretch.name} reaches {np.nanmax(own):.1f} degC at {stretch.clock(peak)}, limit {limit:.1f}"
        outside = ""
        if rule == Rule.OPEN_FOR_GAIN:
            outside = f"; {float(np.mean(horizon.outdoor[stretch.first : stretch.last])):z.0f} degC outside"
        return f"{lead}: {energy:.1f} kWh of sun until {stretch.clock(stretch.last)}; {warm}{outside}"


def _as_fits(told: str, *more: str) -> str:
    """The sentence with as much of the rest, the first first, as LONGEST allows."""
    for part in filter(None, more):
        if len(told) + len(part) + 2 <= LONGEST:
            told = f"{told}; {part}"
    return told
