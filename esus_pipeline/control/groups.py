"""Which rooms move together."""

from esus_pipeline.site import Site


def shade_groups(site: Site) -> list[list[int]]:
    """Indices of the rooms that move together: the site's groups, and every other room with a shade by itself."""
    shaded = [room.id for room in site.rooms if any(window.shade for window in room.windows)]
    groups = [[room for room in group.rooms if room in shaded] for group in site.shade_groups.values()]
    grouped = {room for group in groups for room in group}
    groups += [[room] for room in shaded if room not in grouped]
    return [[site.room_ids.index(room) for room in group] for group in groups if group]


def moving_groups(site: Site) -> list[list[int]]:
    """The same, and every room without a shade by itself, because its setpoints are planned, too."""
    groups = shade_groups(site)
    grouped = {room for group in groups for room in group}
    return groups + [[room] for room in range(len(site.rooms)) if room not in grouped]
