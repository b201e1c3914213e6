"""What `esus alerts` prints: what is open, what is held back, what waits to be delivered."""

from datetime import datetime

from esus_pipeline.alerts.reconcile import silenced
from esus_pipeline.alerts.tick import Alerts


def alerts_text(alerts: Alerts, now: datetime) -> str:
    """The state of the alerts, for a terminal."""
    state, waiting = alerts.store.load(), alerts.store.waiting(now)
    ways = ", ".join(sender.channel for sender in alerts.senders)
    looked = f"{state.last_look:%Y-%m-%d %H:%M} UTC" if state.last_look else "never: is the sensor `alerts` running?"
    lines = [f"Tells {ways or 'nobody: set ESUS_ALERT_SMTP_URL or ESUS_ALERT_WEBHOOK_URL'}. Looked last: {looked}"]
    for known in sorted(state.ongoing.values(), key=lambda each: (each.incident is None, each.since)):
        why = silenced(known.condition, now, alerts.policy) or "explained by another, or waiting for its turn"
        told = "told" if known.incident else f"held back, {why}"
        since = f"since {known.since:%Y-%m-%d %H:%M} UTC"
        lines.append(f"{known.condition.severity.word:<8} {known.condition.statement}, {since} ({told})")
    for each in waiting:
        state_word = "given up" if each.given_up_at else "waits"
        lines.append(
            f"{state_word:<8} {each.title!r} to {each.channel}, {each.attempts} tries: {each.problem or 'new'}"
        )
    return "\n".join(lines if len(lines) > 1 else [*lines, "Nothing is wrong."])
