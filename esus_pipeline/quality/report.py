"""What `esus quality` says: who is silent, late, stuck or absurd, since when, how sure that is, and what was lost.

Belongs here: from the tables of a span to the report as words and as a page. Does not belong here: judging.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined

from esus_pipeline.frames import CLEAN_SERIES, GAP, POINT_STATE, STEP
from esus_pipeline.quality.bounds import LONGEST
from esus_pipeline.quality.states import SURE, State
from esus_pipeline.quality.suspects import suspects
from esus_pipeline.readings import Quality, Read
from esus_pipeline.site import Site

FINE = (State.CURRENT, State.SILENT_BY_NATURE)
MANY = 25
"""Rows of a list that are printed in the terminal; the page has them all."""

_COLUMNS = ["point_id", "timestamp", "quality"]


@dataclass(frozen=True)
class Report:
    """The tables of a report; each a plain data frame whose columns are headings."""

    title: str
    start: datetime
    end: datetime
    judged_at: datetime | None
    """End of the newest window that was judged; none where there is none."""
    counts: dict[str, int]
    """Points by state at that time."""
    controllers: pd.DataFrame
    worrying: pd.DataFrame
    excused: pd.DataFrame
    """Points that are not well and need no attention, and why: they are known to be dead."""
    gaps: pd.DataFrame
    points: pd.DataFrame
    contacts: pd.DataFrame
    """Window contacts that the temperature of their room contradicts."""

    @property
    def headline(self) -> str:
        """The report in one sentence."""
        if self.judged_at is None:
            return "No window of this time was judged: is ESUS_DATA_DIR right, and has the pipeline run?"
        bad = len(self.worrying)
        told = ", ".join(f"{count} {state.replace('_', ' ')}" for state, count in self.counts.items())
        share = f"{bad} of {sum(self.counts.values())} points need attention"
        return f"{share} at {self.judged_at:%Y-%m-%d %H:%M} UTC: {told}."


def quality_report(
    read: Read, site: Site, start: datetime, end: datetime, contacts: Sequence[tuple[str, str]] = ()
) -> Report:
    """The report of the windows that start in [start, end).

    `read` has the signature of Archive.read; `contacts` are the contradicted window contacts and what contradicts them.
    """
    states = read(POINT_STATE, start, end)
    dead = site.alerts.dead(end.astimezone(site.zone).date())
    states = states.assign(fine=states["state"].isin(FINE) | states["point_id"].isin(list(dead)))
    now = states[states["window"] == states["window"].max()]
    flags = read(CLEAN_SERIES, start, end, columns=_COLUMNS)
    gaps = read(GAP, start - LONGEST, end)
    gaps = gaps[
        (gaps["gap_start"] < pd.Timestamp(end)) & (gaps["gap_end"].isna() | (gaps["gap_end"] > pd.Timestamp(start)))
    ]
    names = _names(site)
    counts = now["state"].value_counts()
    return Report(
        title=site.title,
        start=start,
        end=end,
        judged_at=None if now.empty else now["window"].iloc[0].to_pydatetime() + STEP,
        counts={state: int(counts[state]) for state in State if counts.get(state, 0)},
        controllers=_controllers(site, states, now),
        worrying=_worrying(now, names),
        excused=_excused(now, names, dead),
        gaps=_gaps(gaps, names, end),
        points=_points(states, flags, gaps, names, end),
        contacts=pd.DataFrame(contacts, columns=["contact", "what contradicts it"]),
    )


def _names(site: Site) -> pd.DataFrame:
    rows = [(p.id, p.room or "building", p.quantity, p.path, p.controller) for p in site.points]
    return pd.DataFrame(rows, columns=["point_id", "room", "quantity", "path", "controller"]).set_index("point_id")


def _controllers(site: Site, states: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    worst = states.groupby("controller")["controller_late_minutes"].max()
    rows = now.groupby("controller").agg(
        points=("point_id", "size"),
        attention=("fine", lambda fine: int((~fine).sum())),
        late=("controller_late_minutes", "first"),
        usual=("controller_bound_minutes", "first"),
    )
    return pd.DataFrame(
        {
            "controller": rows.index,
            "points": rows["points"].to_numpy(),
            "need attention": rows["attention"].to_numpy(),
            "behind now": [hours(minutes) for minutes in rows["late"]],
            "usual up to": [hours(minutes) for minutes in rows["usual"]],
            "or only points": [", ".join(map(str, suspects(site, each))) for _, each in now.groupby("controller")],
            "worst in this time": [hours(minutes) for minutes in worst.reindex(rows.index)],
        }
    )


def _excused(now: pd.DataFrame, names: pd.DataFrame, dead: dict[int, str]) -> pd.DataFrame:
    rows = now[now["fine"] & ~now["state"].isin(FINE)].sort_values("point_id")
    known = names.reindex(rows["point_id"])
    return pd.DataFrame(
        {
            "state": rows["state"].str.replace("_", " ").to_numpy(),
            "point": rows["point_id"].to_numpy(),
            "room": known["room"].to_numpy(),
            "quantity": known["quantity"].to_numpy(),
            "why": [f"known dead: {dead[point]}" for point in rows["point_id"]],
            "path": known["path"].to_numpy(),
        }
    )


def _worrying(now: pd.DataFrame, names: pd.DataFrame) -> pd.DataFrame:
    bad = now[~now["fine"]]
    order = {state: place for place, state in enumerate(State)}
    bad = bad.assign(order=-bad["state"].map(order).astype(int)).sort_values(["order", "controller", "point_id"])
    known = names.reindex(bad["point_id"])
    return pd.DataFrame(
        {
            "state": bad["state"].str.replace("_", " ").to_numpy(),
            "point": bad["point_id"].to_numpy(),
            "room": known["room"].to_numpy(),
            "quantity": known["quantity"].to_numpy(),
            "since": stamps(bad["since"]),
            "silent for": [hours(minutes) for minutes in bad["age_minutes"]],
            "normal up to": [hours(minutes) for minutes in bad["bound_minutes"]],
            "how sure": [SURE[State(state)] for state in bad["state"]],
            "path": known["path"].to_numpy(),
        }
    )


def _gaps(gaps: pd.DataFrame, names: pd.DataFrame, end: datetime) -> pd.DataFrame:
    rows = gaps.sort_values("gap_start", ascending=False)
    known = names.reindex(rows["point_id"])
    length = rows["gap_end"].fillna(pd.Timestamp(end)) - rows["gap_start"]
    return pd.DataFrame(
        {
            "point": rows["point_id"].to_numpy(),
            "room": known["room"].to_numpy(),
            "quantity": known["quantity"].to_numpy(),
            "from": stamps(rows["gap_start"]),
            "to": [to or "still silent" for to in stamps(rows["gap_end"])],
            "length": [hours(minutes) for minutes in length.dt.total_seconds() / 60],
            "state": rows["state"].to_numpy(),
            "noticed": stamps(rows["first_seen"]),
            "healed": stamps(rows["healed_at"]),
        }
    )


def _points(
    states: pd.DataFrame, flags: pd.DataFrame, gaps: pd.DataFrame, names: pd.DataFrame, end: datetime
) -> pd.DataFrame:
    """Every point that was not fine all the time: share of windows in order, hours lost, readings by flag."""
    fine = states.groupby("point_id")["fine"].mean()
    lost = gaps[gaps["state"] != "healed"]
    length = (lost["gap_end"].fillna(pd.Timestamp(end)) - lost["gap_start"]).dt.total_seconds() / 60
    silent = length.groupby(lost["point_id"]).sum()
    heard = flags.groupby("point_id").size()
    bad = flags[flags["quality"] != Quality.GOOD].groupby(["point_id", "quality"]).size().unstack(fill_value=0)
    table = names.drop(columns=["path", "controller"]).rename_axis("point")
    table["in order"] = fine
    table["silence lost"] = [hours(minutes) for minutes in silent.reindex(table.index).fillna(0)]
    table["readings"] = heard.reindex(table.index).fillna(0).astype(int)
    for flag in bad.columns:
        table[str(flag)] = bad[flag].reindex(table.index).fillna(0).astype(int)
    flagged = bad.reindex(table.index).fillna(0).sum(axis=1) > 0
    table = table[(table["in order"] < 1) | flagged].sort_values("in order", kind="stable")
    table["in order"] = [f"{100 * share:.1f} %" for share in table["in order"]]
    return table.reset_index()


def stamps(times: pd.Series) -> list[str]:
    """Instants for people, in UTC; empty for none."""
    return ["" if pd.isna(time) else f"{time:%Y-%m-%d %H:%M}" for time in times]


def hours(minutes: float) -> str:
    """A duration for people."""
    if pd.isna(minutes):
        return "-"
    if minutes < 120:
        return f"{minutes:.0f} min"
    return f"{minutes / 60:.1f} h" if minutes < 48 * 60 else f"{minutes / 1440:.1f} d"


TITLES = {
    "controllers": "Controllers",
    "worrying": "Points that need attention now",
    "excused": "Points that are not well and need no attention",
    "contacts": "Window contacts that the temperature of their room contradicts",
    "gaps": "Gaps, newest first",
    "points": "Points that were not in order all the time",
}


def quality_words(report: Report) -> str:
    """The report for a terminal."""
    parts = [f"{report.title}, {report.start:%Y-%m-%d %H:%M} to {report.end:%Y-%m-%d %H:%M} UTC", report.headline]
    for name, title in TITLES.items():
        table = getattr(report, name).drop(columns=["path"], errors="ignore")
        if len(table):
            rest = f"\n... and {len(table) - MANY} more; --html has them all" if len(table) > MANY else ""
            parts.append(f"{title} ({len(table)})\n{table.head(MANY).to_string(index=False)}{rest}")
    return "\n\n".join(parts) + "\n"


def quality_page(report: Report) -> str:
    """The report as one HTML page without outside parts; everything in it is escaped."""
    environment = Environment(
        loader=PackageLoader("esus_pipeline.quality", "templates"), autoescape=True, undefined=StrictUndefined
    )
    tables = [(title, getattr(report, name)) for name, title in TITLES.items()]
    return environment.get_template("report.html").render(report=report, tables=tables)
