"""Which recorded CO2 readings no air of the room can explain: faults that are in the recording itself.

Belongs here: the mass balance of a well-mixed room, from the site's facts alone. Does not belong here: anything of
the rules that are scored; neither their limits nor their flags are asked.
"""

import numpy as np
import pandas as pd

from esus_pipeline_tests.score.worlds import World

BREATH_M3_H = 0.018
"""CO2 of a sedentary adult, m3/h (Persily and de Jonge, Carbon dioxide generation rates for building occupants,
Indoor Air 27, 2017: about 0.005 l/s)."""

OUTSIDE_PPM = 380.0
"""Supply air is no cleaner than this."""

ACCURACY_PPM = 50.0
"""What a non-dispersive infrared sensor may be off by (the usual data sheet: 50 ppm and some percent)."""

MARGIN = 2.0
"""A change this many times over what the balance allows is impossible: a sensor may stand in the stream of somebody's
breath or of the supply air for a while."""


def impossible(world: World) -> pd.DataFrame:
    """Scored CO2 readings (point_id, timestamp) that their room could not reach from the reading before.

    The air rises at most as fast as with all seats of the room taken and no ventilation, dC/dt = n G / V, and falls
    at most as fast as empty with the greatest supply flow, dC/dt = -Q (C - C_out) / V.
    """
    rooms = {room.id: room for room in world.site.rooms}
    found = []
    for point in world.site.points:
        room = rooms.get(point.room or "")
        if point.quantity != "co2" or room is None:
            continue
        own = world.raw[world.raw["point_id"] == point.id].sort_values("timestamp")
        value, volume = own["value"].to_numpy(dtype=float), room.area * room.height
        hours = own["timestamp"].diff().dt.total_seconds().to_numpy() / 3600
        change, above = np.diff(value, prepend=value[:1]), np.maximum(np.roll(value, 1) - OUTSIDE_PPM, 0)
        most = MARGIN * room.occupants * BREATH_M3_H / volume * 1e6 * hours + ACCURACY_PPM
        least = MARGIN * above * np.expm1(-room.ventilation_flow / volume * hours) - ACCURACY_PPM
        found.append(own.loc[(change > most) | (change < least), ["point_id", "timestamp"]])
    table = pd.concat(found, ignore_index=True)
    return table[table["timestamp"] >= pd.Timestamp(world.start)].reset_index(drop=True)
