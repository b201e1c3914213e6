"""Whether the parts of a site fit together: ids that must differ, names that must exist, numbers that limit others.

Belongs here: what only the whole site can tell. Does not belong here: what one field allows (see model).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from esus_pipeline.frames import BUILDING

if TYPE_CHECKING:
    from esus_pipeline.site.model import Room, Site


class Misfit(NamedTuple):
    """Where in the site something does not fit, what is allowed there, and what stands there."""

    path: tuple[str | int, ...]
    allowed: str
    found: object


def misfits(site: Site) -> Iterator[Misfit]:
    """Everything that does not fit, in the order of the parts."""
    ids = [room.id for room in site.rooms]
    if not ids:
        yield Misfit(("rooms",), "must name at least one room", [])
    for index, room in enumerate(site.rooms):
        if room.id in ids[:index]:
            yield Misfit(("rooms", index, "id"), "must differ from the rooms before it", room.id)
        if room.id == BUILDING:
            yield Misfit(("rooms", index, "id"), "means the whole building in every table; choose another", room.id)
        yield from _windows(site, index, room)
    band, margin = site.comfort.occupied, site.control.setpoint_margin
    if 2 * margin >= band.high - band.low:
        yield Misfit(("control", "setpoint_margin"), "must be less than half of the occupied comfort band", margin)
    taken: set[str] = set()
    for name, group in site.shade_groups.items():
        if not group.rooms:
            yield Misfit(("shade_groups", name, "rooms"), "must name at least one room", [])
        for index, member in enumerate(group.rooms):
            path = ("shade_groups", name, "rooms", index)
            if member not in ids:
                yield Misfit(path, f"must be one of the rooms {', '.join(ids)}", member)
            elif member in taken:
                yield Misfit(path, "must be in one shade group only", member)
            taken.add(member)


def _windows(site: Site, at: int, room: Room) -> Iterator[Misfit]:
    ids = [window.id for window in room.windows]
    for index, window in enumerate(room.windows):
        path = ("rooms", at, "windows", index)
        if window.id in ids[:index]:
            yield Misfit((*path, "id"), "must differ from the room's windows before it", window.id)
        if window.facade not in site.facades:
            yield Misfit((*path, "facade"), f"must be one of {', '.join(site.facades) or 'facades:'}", window.facade)
        if window.shade is not None and window.shade not in site.shades:
            yield Misfit((*path, "shade"), f"must be one of {', '.join(site.shades) or 'shades:'}", window.shade)
