"""No plan that may not leave the house is stored as a plan: what reads the table cannot show or deliver it.

The check `publishable` judges what is stored by the same rules; a window whose plan was refused fails it and, being
blocking, stops what follows in the run.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import pandas as pd

from esus_pipeline.archive import Archive
from esus_pipeline.checks import plan_faults
from esus_pipeline.frames import QUARANTINE
from esus_pipeline.site import Site
from esus_pipeline.weather import Issues

REASON = "unpublishable_plan"


def refused_plans(
    site: Site, archive: Archive, plans: pd.DataFrame, issues: Issues, ends: Sequence[datetime]
) -> Mapping[datetime, str]:
    """Which of the plans issued at `ends` may not be stored, and why; they are named in the quarantine."""
    faults = plan_faults(site, plans, issues, ends)
    refused = {as_of: f"plan of {as_of.isoformat()}: {'; '.join(found)}"[:2000] for as_of, found in faults.items()}
    if refused:
        rows = pd.DataFrame({"record": list(refused.values())}).assign(
            received_at=datetime.now(UTC), source="plan", reason=REASON, point_id=None
        )
        archive.merge(QUARANTINE, rows, compare=())
    return refused
