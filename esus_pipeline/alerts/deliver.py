"""Emptying the outbox: every channel by itself, oldest message first, within a time that a sensor tick has.

Belongs here: what is tried in which order. Does not belong here: protocols (see senders) and memory (see store).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from esus_pipeline.alerts import words
from esus_pipeline.alerts.senders import Sender, SendError
from esus_pipeline.alerts.store import Store

BUDGET_S = 25.0
"""No sending begins later than this after the first; with the deadline of one it stays under a sensor's 60 s."""


@dataclass(frozen=True)
class Delivery:
    """What one round did."""

    sent: int
    failed: tuple[str, ...]
    """What went wrong, for people."""


def deliver(store: Store, senders: Sequence[Sender], who: words.Sender, clock: Callable[[], datetime]) -> Delivery:
    """Send what is due. A channel that fails is left alone until its next turn; the others go on."""
    began, sent, failed = time.monotonic(), 0, []
    for sender in senders:
        while time.monotonic() - began < BUDGET_S and (letter := store.claim(sender.channel, clock())):
            try:
                sender.send(words.mail(letter.message, who), words.chat(letter.message, who))
            except SendError as error:
                store.failed(letter, str(error))
                failed.append(f"{sender.channel}: {error}")
                break
            store.delivered(letter, clock())
            sent += 1
    return Delivery(sent, tuple(failed))
