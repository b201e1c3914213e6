"""Who may be out where a controller is late: it, or only the few of its points that should have spoken.

A watermark stands still when a controller delivers nothing, and as well when it delivers while its fastest points are
lost and the others have nothing to say. Nobody can tell these apart until one of those speaks. Belongs here: naming
the points. Does not belong here: whether a controller is late (see progress).
"""

from datetime import timedelta

import pandas as pd

from esus_pipeline.quality.bounds import LONGEST
from esus_pipeline.site import Site

MOST = 3
"""More points than this are not silent by chance together."""


def suspects(site: Site, rows: pd.DataFrame) -> tuple[int, ...]:
    """Points that may alone be the reason why their controller is late; none where most of it is silent, or in time.

    They have been silent by the clock for longer than their bounds, and are less than half of the points that are
    judged and were alive when the controller fell silent: one lost for long, or known to be dead, moves no watermark.

    Args:
        site: the building.
        rows: frames.POINT_STATE of one controller in one window.
    """
    late = (rows["controller_late_minutes"] > rows["controller_bound_minutes"]).any()
    alone = rows["age_minutes"] - rows["controller_late_minutes"]
    dead = rows["point_id"].isin(list(site.alerts.dead(rows["window"].iloc[0].tz_convert(site.zone).date())))
    judged = rows[rows["bound_minutes"].notna() & (alone <= LONGEST / timedelta(minutes=1)) & ~dead]
    silent = judged.loc[judged["age_minutes"] > judged["bound_minutes"], "point_id"]
    few = late and len(silent) <= MOST and 2 * len(silent) < len(judged)
    return tuple(int(point) for point in silent) if few else ()
