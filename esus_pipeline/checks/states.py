"""Who is silent, stuck or absurd, and which controller is late: by window, from frames.POINT_STATE."""

from datetime import timedelta

import pandas as pd

from esus_pipeline.checks.verdict import Day, Rule, no_worst
from esus_pipeline.frames import BUILDING
from esus_pipeline.quality import FINAL, SURE, State, suspects
from esus_pipeline.site import Site

BAD = [State.LATE, State.STUCK, State.IMPLAUSIBLE, State.MISSING, State.NEVER_REPORTED]
"""States of a point that somebody should look at."""

NEVER_HEARD = timedelta(hours=24)
"""What a controller counts as late that has delivered nothing yet: graver than any lateness that may still end."""

POINTS = Rule(
    measure="share of points late, missing, stuck or implausible",
    unit="%",
    limit=5.0,
    at_least=False,
    grave=50.0,
    advice="Look at the points below; where most of a controller's are named, look at the controller. Points that are "
    "known not to work belong into alerts.known_dead of site.yaml.",
)
CONTROLLERS = Rule(
    measure="lateness of a controller over what is normal for it",
    unit="min",
    limit=0.0,
    at_least=False,
    grave=FINAL.total_seconds() / 60,
    advice="Look at the controller and its connection to the building's system. Its points are not blamed for it; what "
    "it delivers later is taken in by itself.",
)


def judge_points(site: Site, states: pd.DataFrame) -> Day:
    """Percentage in a bad state of the points that can be judged: neither silent by nature nor known to be dead.

    `states` holds the columns window, point_id, room, quantity, controller, state and since of one day's
    frames.POINT_STATE.
    """
    if states.empty:
        return Day(pd.DataFrame({"window": states["window"], "value": []}), no_worst())
    dead = site.alerts.dead(states["window"].iloc[0].tz_convert(site.zone).date())
    rows = states.assign(bad=states["state"].isin(BAD))
    judged = ~rows["point_id"].isin(list(dead)) & (rows["state"] != State.SILENT_BY_NATURE)
    share = rows["bad"].where(judged).astype(float).groupby(rows["window"]).mean() * 100
    counts = rows[rows["bad"]].groupby(["point_id", "room", "quantity", "controller"], dropna=False, sort=False)
    worst = [
        {
            "subject": f"{quantity} of {room if isinstance(room, str) else BUILDING} ({point})",
            "note": f"{_told(each.iloc[-1])} ({controller})",
            "windows": len(each),
            "silenced": _silenced(dead.get(int(str(point)), "")),
        }
        for (point, room, quantity, controller), each in counts
    ]
    return Day(_values(share), pd.DataFrame(worst) if worst else no_worst())


def _told(row: pd.Series) -> str:
    """State, since when, and how sure that is."""
    since = "" if pd.isna(row["since"]) else f" since {row['since']:%Y-%m-%d %H:%M} UTC"
    return f"{row['state'].replace('_', ' ')}{since}, {SURE[State(row['state'])]}"


def _silenced(dead: str) -> str:
    return f"known dead: {dead}" if dead else ""


def judge_controllers(site: Site, states: pd.DataFrame) -> Day:
    """Minutes by which the latest controller is later than is normal for it; 0 where none is.

    A controller whose points are all known to be dead is not judged. One that has delivered nothing yet is late by
    NEVER_HEARD, unless all its points are silent by nature: a switch that nobody touched was never due.

    `states` holds the columns window, point_id, controller, state, age_minutes, bound_minutes, controller_late_minutes
    and controller_bound_minutes of one day's frames.POINT_STATE.
    """
    if states.empty:
        return Day(pd.DataFrame({"window": states["window"], "value": []}), no_worst())
    dead = site.alerts.dead(states["window"].iloc[0].tz_convert(site.zone).date())
    untouched = states["controller_late_minutes"].isna() & (states["state"] == State.SILENT_BY_NATURE)
    judged = states[~states["point_id"].isin(list(dead)) & ~untouched]
    rows = judged.drop_duplicates(["window", "controller"])
    over = rows["controller_late_minutes"] - rows["controller_bound_minutes"]
    rows = rows.assign(over=over.fillna(NEVER_HEARD.total_seconds() / 60).clip(lower=0))
    worst = [
        {"subject": str(name), "note": _lateness(site, each, states), "windows": len(each), "silenced": ""}
        for name, each in rows[rows["over"] > 0].groupby("controller")
    ]
    latest = rows.groupby("window")["over"].max().reindex(states["window"].unique())
    return Day(_values(latest), pd.DataFrame(worst) if worst else no_worst())


def _lateness(site: Site, rows: pd.DataFrame, states: pd.DataFrame) -> str:
    """How late one controller was in these windows, and who else may be out in the last of them."""
    latest = rows["controller_late_minutes"].max()
    late = "nothing of it was ever received" if pd.isna(latest) else f"up to {latest:.0f} min late"
    last = rows.iloc[-1]
    few = suspects(site, states[(states["window"] == last["window"]) & (states["controller"] == last["controller"])])
    only = f"; or only of its points {', '.join(map(str, few))}" if few else ""
    return f"{late}, normal is {last['controller_bound_minutes']:.0f} min{only}"


def _values(values: "pd.Series[float]") -> pd.DataFrame:
    return pd.DataFrame({"window": values.index, "value": values.to_numpy(dtype=float)})
