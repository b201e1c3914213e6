"""One tick: a look becomes messages, the outbox is emptied, and if all is well the heart beats.

The heart does not beat while messages cannot leave: then the watcher outside is the only one who can still tell.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from esus_pipeline.alerts import words
from esus_pipeline.alerts.condition import Condition, Look, Severity
from esus_pipeline.alerts.deliver import deliver
from esus_pipeline.alerts.heartbeat import beat
from esus_pipeline.alerts.reconcile import Policy, reconcile
from esus_pipeline.alerts.senders import Sender
from esus_pipeline.alerts.state import Entry, Kind, Message, Section, Waiting
from esus_pipeline.alerts.store import Store

STUCK_MAIL = timedelta(hours=1)
"""A message that waits longer than this is a condition by itself, and holds the heartbeat back."""


def _wall_clock() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Tick:
    """What one tick did, for the log of whoever called it."""

    messages: tuple[Message, ...]
    sent: int
    open: int
    """Conditions that somebody was told of and that last."""
    waiting: int
    """Messages on their way, failed ones included and given-up ones not."""
    problems: tuple[str, ...]
    """What went wrong with telling."""


@dataclass(frozen=True)
class Alerts:
    """The alerts of one installation."""

    store: Store
    senders: tuple[Sender, ...]
    who: words.Sender
    policy: Policy
    heartbeat_file: Path | None = None
    heartbeat_url: str = ""
    clock: Callable[[], datetime] = _wall_clock

    def tick(self, look: Look) -> Tick:
        """Remember the look, tell what it is worth telling, send what is due."""
        now = self.clock()
        undelivered = self.store.waiting(now)
        look = Look.of([*look.conditions, *self._stuck(undelivered, now)], look.blind)
        state, messages = self.store.advance(
            lambda before: reconcile(before, look, now, self.policy, undelivered), self._channels, now
        )
        delivery = deliver(self.store, self.senders, self.who, self.clock)
        problems = list(delivery.failed)
        undelivered = self.store.waiting(self.clock())
        if not self._stuck(undelivered, now):
            problems += filter(None, [beat(self.heartbeat_file, self.heartbeat_url, now)])
        told = sum(known.incident is not None for known in state.ongoing.values())
        return Tick(tuple(messages), delivery.sent, told, _on_their_way(undelivered), tuple(problems))

    def test(self) -> Tick:
        """Send a test message through every channel now."""
        now = self.clock()
        entry = Entry(Severity.WARNING, "This is a test. Nothing is wrong.", now, advice="Nothing.", link="/runs")
        message = Message(
            f"test-{now:%Y%m%dT%H%M%S%f}", Kind.TEST, "test", Severity.WARNING, "a test", now, (Section("", (entry,)),)
        )
        self.store.post(message, self._channels, now)
        delivery = deliver(self.store, self.senders, self.who, self.clock)
        return Tick((message,), delivery.sent, 0, _on_their_way(self.store.waiting(now)), delivery.failed)

    @property
    def _channels(self) -> list[str]:
        return [sender.channel for sender in self.senders]

    def _stuck(self, undelivered: list[Waiting], now: datetime) -> list[Condition]:
        """Channels of this installation that have not taken a message for too long; given-up ones block nobody."""
        oldest: dict[str, Waiting] = {}
        for each in undelivered:
            if each.given_up_at or each.channel not in self._channels:
                continue
            if now - each.created_at >= STUCK_MAIL:
                oldest.setdefault(each.channel, each)
        return [
            Condition(
                key=f"channel:{channel}",
                source="channels",
                group="alerts",
                severity=Severity.ERROR,
                summary=f"alerts cannot be delivered: {channel}",
                advice="Correct the ESUS_ALERT_ settings or the receiver; `esus alerts` lists what waits.",
                since=each.created_at,
                details=(each.problem,),
            )
            for channel, each in oldest.items()
        ]


def _on_their_way(undelivered: list[Waiting]) -> int:
    return sum(each.given_up_at is None for each in undelivered)
