"""Telling people: what is wrong (`Condition`) becomes few, whole and honest messages by mail and chat.

    look at the system  ->  reconcile (pure)  ->  state and outbox (one transaction)  ->  senders  ->  heartbeat

`tick` does all of it once. Inside: `condition` (what is wrong), `points` (conditions of points and controllers),
`reconcile` (who is told when), `state` and `store` (what is remembered), `words` (messages for a medium), `senders` and
`deliver` (ways out), `heartbeat` (a sign of life). Whether something is wrong is judged elsewhere.
"""

from esus_pipeline.alerts.condition import SETTLE, Condition, Look, Severity
from esus_pipeline.alerts.points import point_conditions
from esus_pipeline.alerts.report import alerts_text
from esus_pipeline.alerts.senders import AlertConfigError
from esus_pipeline.alerts.tick import Alerts, Tick

__all__ = [
    "SETTLE",
    "AlertConfigError",
    "Alerts",
    "Condition",
    "Look",
    "Severity",
    "Tick",
    "alerts_text",
    "point_conditions",
]
