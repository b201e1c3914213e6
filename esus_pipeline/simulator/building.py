"""The building as it truly is. Belongs here: sizes and properties, drawn around what the site file assumes.

The site's numbers are guesses, so the truth differs from each of them by up to 20 %, drawn from the seed: who reads
the twin must not be able to look its truth up in the site file.
"""

from dataclasses import dataclass, field

import numpy as np

from esus_pipeline.simulator.noise import Floats, Ints, uniform
from esus_pipeline.site import Room, Site

FACADES = ("east", "south", "west")
SHADED_FACADES = ("east", "south")


@dataclass(frozen=True)
class Building:
    """True properties, one entry per room unless said otherwise. SI units; areas m2, flows m3/s, conductances W/K."""

    rooms: tuple[str, ...]
    facade: Ints
    """Index into FACADES."""
    facade_azimuth: Floats
    """Per facade, degrees clockwise from north."""
    horizon: tuple[tuple[tuple[float, float], ...], ...]
    """Per facade: (azimuth, elevation) pairs of the true skyline."""
    floor: Floats
    volume: Floats
    glass: Floats
    g_value: Floats
    g_shaded: Floats
    """g-value of glazing and lowered shade together."""
    light_transmittance: Floats
    light_shaded: Floats
    loss: Floats
    """Windows, opaque wall and air leakage together, W/K, without the wall's inner layers."""
    wall_area: Floats
    wall_u: Floats
    radiator: Floats
    """W at 30 K over the room."""
    air_flow: Floats
    people: Ints
    window_flow: Floats
    """Air exchange through an open window, m3/s."""
    left: Ints
    right: Ints
    """Index of the neighbour on either side, the room itself at an end."""
    temper: Floats = field(repr=False)
    """0..1: how readily the people of the room open a window or turn the panel."""


def draw_building(site: Site, seed: int) -> Building:
    """The true building behind `site` for this seed; needs the facades east, south and west."""
    count = len(site.rooms)

    def about(name: str, values: list[float], spread: float = 0.2) -> Floats:
        factor = 1 + spread * (2 * uniform(seed, f"building/{name}", np.arange(count)) - 1)
        return np.asarray(np.array(values) * factor)

    rooms = site.rooms
    facade = np.array([FACADES.index(room.windows[0].facade) for room in rooms])
    glass = about("glass", [sum(w.area * (1 - w.frame_share) for w in room.windows) for room in rooms])
    panes = about("panes", [sum(w.area * w.u_value for w in room.windows) for room in rooms])
    volume = about("volume", [room.area * room.height for room in rooms], 0.05)
    index = np.arange(count)
    same_left = np.r_[False, facade[1:] == facade[:-1]]
    same_right = np.r_[facade[1:] == facade[:-1], False]
    shade = [site.shades[room.windows[0].shade or ""] for room in rooms]
    turn = 6 * (2 * uniform(seed, "building/azimuth", 0) - 1)
    return Building(
        rooms=site.room_ids,
        facade=facade,
        facade_azimuth=np.array([site.facades[name].azimuth for name in FACADES]) + turn,
        horizon=tuple(_true_horizon(site, seed, name) for name in FACADES),
        floor=np.array([room.area for room in rooms]),
        volume=volume,
        glass=glass,
        g_value=about("g", [room.windows[0].g_value for room in rooms], 0.12),
        g_shaded=about("g_shaded", [kind.g_tot for kind in shade]),
        light_transmittance=about("light", [0.7] * count, 0.1),
        light_shaded=about("light_shaded", [kind.light_transmittance for kind in shade]),
        loss=panes + 0.15 * volume / 3600 * 1206 * about("leak", [1.0] * count, 0.5),
        wall_area=about("wall", [room.outer_wall_area for room in rooms]),
        wall_u=about("wall_u", [room.outer_wall_u_value for room in rooms]),
        radiator=about("radiator", [room.heating_power for room in rooms]),
        air_flow=about("air_flow", [room.ventilation_flow / 3600 for room in rooms]),
        people=np.array([_people(room) for room in rooms]),
        window_flow=about("window_flow", [0.04 + 0.004 * room.area / 4 for room in rooms]),
        left=np.where(same_left, index - 1, index),
        right=np.where(same_right, index + 1, index),
        temper=uniform(seed, "building/temper", index),
    )


def _people(room: Room) -> int:
    return max(1, round(room.occupants))


def _true_horizon(site: Site, seed: int, name: str) -> tuple[tuple[float, float], ...]:
    factor = 0.8 + 0.4 * float(uniform(seed, f"building/horizon/{name}", 0))
    return tuple((azimuth, elevation * factor) for azimuth, elevation in site.facades[name].horizon)
