"""The body of `esus alerts`."""

from datetime import datetime

from esus_pipeline.alerts.report import alerts_text
from esus_pipeline.alerts.senders import AlertConfigError, SendError
from esus_pipeline.connect import alerts as connect
from esus_pipeline.settings import Settings
from esus_pipeline.site import SiteError, load_site

FAILURES = (AlertConfigError, SendError, SiteError)
"""What the command tells a person without a traceback."""


def run(settings: Settings, test: bool, now: datetime) -> str:
    """What is printed: the state, or who got the test message. Raises one of FAILURES."""
    alerts = connect(settings, load_site(settings.site))
    if not test:
        return alerts_text(alerts, now)
    if not alerts.senders:
        raise AlertConfigError("Nobody to tell: set ESUS_ALERT_SMTP_URL or ESUS_ALERT_WEBHOOK_URL")
    tick = alerts.test()
    if tick.problems:
        raise SendError("\n".join(tick.problems))
    return f"{tick.sent} sent: {', '.join(sender.channel for sender in alerts.senders)}"
