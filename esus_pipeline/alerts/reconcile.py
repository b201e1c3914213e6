"""From one look at the system to messages: pure, so that every rule about telling can be tried without a clock.

    what began and is not silenced        ->  one start message per group: an incident
    all of an incident over for `settle`  ->  one end message
    once a local day                      ->  a digest, where there is anything to say

Whoever is not told now is told later, if it still matters then: quiet hours, silences and the limits on frequency hold
messages back and lose none. What began and ended while held back stands in the digest alone.
"""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeVar
from zoneinfo import ZoneInfo

from esus_pipeline.alerts.condition import Condition, Look, Severity
from esus_pipeline.alerts.state import Entry, Incident, Kind, Message, Ongoing, Past, Section, State, Told, Waiting
from esus_pipeline.site.alerting import Alerting

T = TypeVar("T")

HOUR = timedelta(hours=1)
EXPLAINS = timedelta(minutes=10)
"""What began under a cause and outlasts it by this is told by itself."""
SEVERAL = "several"
"""The group of an incident that tells of many groups at once."""


@dataclass(frozen=True)
class Policy:
    """How messages are held back and joined."""

    zone: ZoneInfo
    site: Alerting = field(default_factory=Alerting)
    group_pause: timedelta = timedelta(hours=1)
    """Least time between two start messages of a group; a graver condition does not wait."""
    separate: int = 3
    """More groups than this in one tick share one message."""
    starts_per_hour: int = 12
    """Start messages of all groups together; beyond it only those with an error are made."""
    longest_past: int = 500
    """Ended conditions that are kept for the digest."""


def reconcile(
    state: State, look: Look, now: datetime, policy: Policy, undelivered: Sequence[Waiting] = ()
) -> tuple[State, list[Message]]:
    """The next state, and the messages that this look is worth. The same input gives the same output.

    Of `undelivered` the digest names what was given up.
    """
    state = _seen(state, look, now)
    state, ends = _ended(state, look, now, policy)
    state, starts = _started(state, now, policy)
    state, digests = _digested(state, now, policy, undelivered)
    return replace(state, last_look=now), [*ends, *starts, *digests]


def silenced(condition: Condition, now: datetime, policy: Policy) -> str | None:
    """Why nobody is told of this condition, quiet hours apart; None where somebody is."""
    dead = policy.site.dead(now.astimezone(policy.zone).date())
    if condition.points and all(point in dead for point in condition.points):
        return f"known dead: {dead[condition.points[0]]}"
    for silence in policy.site.silences:
        everything = not (silence.controllers or silence.points)
        named = condition.group in silence.controllers or (
            bool(condition.points) and set(condition.points) <= set(silence.points)
        )
        if (everything or named) and silence.holds(now, policy.zone):
            return silence.reason
    return None


def _quiet(severity: Severity, now: datetime, policy: Policy) -> bool:
    local = now.astimezone(policy.zone)
    return severity < Severity.ERROR and any(hours.holds(local) for hours in policy.site.quiet_hours)


def _seen(state: State, look: Look, now: datetime) -> State:
    ongoing = dict(state.ongoing)
    for condition in look.conditions:
        known = ongoing.get(condition.key, Ongoing(condition, now, now))
        begun = min(filter(None, (known.condition.since, condition.since)), default=None)
        cause = condition.cause or (known.condition.cause if _explained(known, state) else "")
        ongoing[condition.key] = replace(
            known,
            condition=replace(condition, since=begun, cause=cause),
            last_seen=now,
            final_since=(known.final_since or now) if condition.final else None,
        )
    for key, known in ongoing.items():
        if known.condition.source in look.blind:
            ongoing[key] = replace(known, last_seen=now)
    return replace(state, ongoing=ongoing)


def _ended(state: State, look: Look, now: datetime, policy: Policy) -> tuple[State, list[Message]]:
    """Take out what is over; end the incidents of which nothing is left."""
    present = {condition.key for condition in look.conditions}
    ongoing, incidents, past = dict(state.ongoing), dict(state.incidents), list(state.past)
    for key, known in state.ongoing.items():
        if key in present or now - known.last_seen < known.condition.settle:
            continue
        del ongoing[key]
        over = Past(known.condition.summary, known.since, known.last_seen)
        if known.incident or not known.condition.cause:
            past.append(over)
        if known.incident in incidents:
            incident = incidents[known.incident]
            incidents[incident.id] = replace(incident, ended=(*incident.ended, over))
    alive = {known.incident for known in ongoing.values()}
    over_now = [
        incident
        for incident in incidents.values()
        if incident.id not in alive and not _quiet(incident.severity, now, policy)
    ]
    for incident in over_now:
        del incidents[incident.id]
    messages = [_end_message(incidents, now) for incidents in _joined(over_now, policy)]
    state = replace(state, ongoing=ongoing, incidents=incidents, past=tuple(past[-policy.longest_past :]))
    return state, messages


def _started(state: State, now: datetime, policy: Policy) -> tuple[State, list[Message]]:
    """Open an incident for what began, by group, as far as the limits allow."""
    due: dict[str, list[Ongoing]] = {}
    for known in state.ongoing.values():
        condition = known.condition
        told = known.incident is not None or _explained(known, state)
        early = known.last_seen < now or now - known.first_seen < condition.patience
        if told or early or silenced(condition, now, policy) or _quiet(condition.severity, now, policy):
            continue
        due.setdefault(condition.group, []).append(known)
    groups = [sorted(each, key=_order) for group, each in due.items() if _may_start(state, group, each, now, policy)]
    recent = tuple(at for at in state.recent_starts if now - at < HOUR)
    left = policy.starts_per_hour - len(recent)
    batches = [
        batch
        for place, batch in enumerate(_joined(sorted(groups, key=lambda each: _order(each[0])), policy))
        if place < left or batch[0][0].condition.severity is Severity.ERROR
    ]
    ongoing, incidents, starts, messages = dict(state.ongoing), dict(state.incidents), dict(state.starts), []
    for batch in batches:
        members = [known for group in batch for known in group]
        groups_named = sorted({known.condition.group for known in members})
        incident = Incident(
            id=_identity(now, members),
            group=groups_named[0] if len(groups_named) == 1 else SEVERAL,
            opened_at=now,
            severity=max(known.condition.severity for known in members),
        )
        incidents[incident.id] = incident
        for known in members:
            ongoing[known.condition.key] = replace(known, incident=incident.id)
        starts |= {group[0].condition.group: Told(now, group[0].condition.severity) for group in batch}
        messages.append(_start_message(incident, members, groups_named))
    recent += (now,) * len(messages)
    return replace(state, ongoing=ongoing, incidents=incidents, starts=starts, recent_starts=recent), messages


def _may_start(state: State, group: str, due: list[Ongoing], now: datetime, policy: Policy) -> bool:
    last = state.starts.get(group)
    if last is None or now - last.at >= policy.group_pause:
        return True
    return max(known.condition.severity for known in due) > last.severity


def _joined(items: list[T], policy: Policy) -> list[list[T]]:
    """Each by itself, or, if they are too many, all together."""
    return [items] if len(items) > policy.separate else [[item] for item in items]


def _digested(
    state: State, now: datetime, policy: Policy, undelivered: Sequence[Waiting]
) -> tuple[State, list[Message]]:
    local = now.astimezone(policy.zone)
    if local.time() < policy.site.digest_at or local.date() == state.last_digest:
        return state, []
    if state.last_look is None:  # the first tick ever has nothing to look back on
        return replace(state, last_digest=local.date()), []
    told = sorted((known for known in state.ongoing.values() if known.incident), key=_order)
    held = sorted(
        (known for known in state.ongoing.values() if not known.incident and not _explained(known, state)), key=_order
    )
    lost = [known for known in told if _undigested(known.final_since, state, policy)]
    given_up = [each for each in undelivered if _undigested(each.given_up_at, state, policy)]
    sections = (
        Section("Open", tuple(_entry(known) for known in told)),
        Section("Final since the last digest", tuple(replace(_entry(known), advice="", details=()) for known in lost)),
        Section("Held back", tuple(_entry(known, _why_held(known, now, policy)) for known in held)),
        Section("Over since the last digest", tuple(_past_entry(past) for past in state.past)),
        Section("Given up since the last digest, never delivered", tuple(_given_up_entry(each) for each in given_up)),
    )
    title = f"{len(told)} open, {len(held)} held back, {len(state.past)} over"
    title += f", {len(given_up)} never delivered" if given_up else ""
    something = told or state.past or given_up or any(not silenced(known.condition, now, policy) for known in held)
    state = replace(state, last_digest=local.date(), past=())
    if not something:
        return state, []
    severity = max((known.condition.severity for known in told), default=Severity.WARNING)
    shown = tuple(section for section in sections if section.entries)
    return state, [Message(f"digest-{local.date()}", Kind.DIGEST, "digest", severity, title, now, shown)]


def _undigested(instant: datetime | None, state: State, policy: Policy) -> bool:
    """Whether it happened since the local time at which the last digest was due."""
    if instant is None:
        return False
    if state.last_digest is None:
        return True
    return instant > datetime.combine(state.last_digest, policy.site.digest_at, policy.zone)


def _explained(known: Ongoing, state: State) -> bool:
    cause = state.ongoing.get(known.condition.cause)
    return cause is not None and known.last_seen - cause.last_seen < EXPLAINS


def _why_held(known: Ongoing, now: datetime, policy: Policy) -> str:
    return silenced(known.condition, now, policy) or "waits for the end of the quiet hours or for its turn"


def _start_message(incident: Incident, members: list[Ongoing], groups: list[str]) -> Message:
    first = members[0].condition.statement
    title = first if len(members) == 1 else f"{', '.join(groups[:3])}: {first}, and {len(members) - 1} more"
    entries = tuple(_entry(known) for known in members)
    return Message(
        f"{incident.id}-start",
        Kind.START,
        incident.group,
        incident.severity,
        title,
        incident.opened_at,
        (Section("", entries),),
    )


def _end_message(incidents: list[Incident], now: datetime) -> Message:
    over = [past for incident in incidents for past in incident.ended]
    first = over[0].summary
    return Message(
        f"{_digest_of(incident.id for incident in incidents)}-end",
        Kind.END,
        incidents[0].group if len(incidents) == 1 else SEVERAL,
        max(incident.severity for incident in incidents),
        first if len(over) == 1 else f"{first}, and {len(over) - 1} more",
        now,
        (Section("", tuple(_past_entry(past) for past in over)),),
    )


def _entry(known: Ongoing, note: str = "") -> Entry:
    condition = known.condition
    return Entry(
        severity=condition.severity,
        summary=condition.statement,
        since=known.since,
        advice=note or condition.advice,
        link=condition.link,
        details=condition.details,
    )


def _past_entry(past: Past) -> Entry:
    return Entry(Severity.WARNING, past.summary, past.since, until=past.ended_at)


def _given_up_entry(waiting: Waiting) -> Entry:
    return Entry(
        Severity.WARNING,
        f"{waiting.title} (to {waiting.channel})",
        waiting.created_at,
        advice="It is not tried again; correct the ESUS_ALERT_ settings or the receiver.",
        details=(waiting.problem,),
    )


def _order(known: Ongoing) -> tuple[int, datetime, str]:
    return -known.condition.severity, known.since, known.condition.key


def _identity(now: datetime, members: list[Ongoing]) -> str:
    return _digest_of([now.isoformat(), *sorted(known.condition.key for known in members)])


def _digest_of(parts: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:20]
