"""What the building's own shading does today: sun-sensor thresholds per shade group, raised by wind.

It is what the plan is compared with, and never part of a command.
"""

import numpy as np

from esus_pipeline.control.hysteresis import hysteresis
from esus_pipeline.control.inputs import PAST, Array, Horizon, Mask
from esus_pipeline.control.rules import CLOSED, OPEN


def baseline_positions(horizon: Horizon, wind_block: Mask) -> Array:
    """(R, N) shade positions of the building's own rule; NaN without a sun estimate or without a shade group.

    The group's sensor is taken to see the sunniest of its rooms' facades.
    """
    positions = np.full((len(horizon.site.rooms), horizon.steps), np.nan)
    for group in horizon.site.shade_groups.values():
        members = [horizon.site.room_ids.index(room) for room in group.rooms]
        if not members:
            continue
        sensor = np.fmax.reduce(horizon.irradiance[members])
        lowered = hysteresis(sensor, group.close_above, group.open_below)[PAST:] & ~wind_block
        positions[members] = np.where(np.isnan(sensor[PAST:]), np.nan, np.where(lowered, CLOSED, OPEN))
    return positions
