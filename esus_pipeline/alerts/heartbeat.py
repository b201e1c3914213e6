"""A sign of life for a watcher outside: a dead daemon cannot report itself, so its silence must be the report.

The file's time stamp and the URL (any monitoring service that expects a regular GET) are touched after a good tick.
"""

from datetime import datetime
from pathlib import Path

from esus_pipeline.alerts.senders import SendError, request

DEADLINE_S = 5.0


def beat(file: Path | None, url: str, now: datetime) -> str:
    """Touch the file and ask the URL; what went wrong, or nothing."""
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"{now.isoformat()}\n", encoding="utf-8")
        except OSError as error:
            return f"the heartbeat file cannot be written ({error.strerror}): set ESUS_HEARTBEAT_FILE"
    if not url:
        return ""
    try:
        status = request(url, None, DEADLINE_S)
    except SendError as error:
        return f"heartbeat: {error}"
    return "" if 200 <= status < 300 else f"heartbeat: the watcher answered {status}; is ESUS_HEARTBEAT_URL right?"
