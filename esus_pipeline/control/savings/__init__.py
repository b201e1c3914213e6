"""What the plan is worth on a building: each finished day judged against the rule that runs without it, then added up.

`known` reads what is stored of a day, `strategy` says what plan and rule tell a room, `replay` lives a day through with
the room's model, `outcome` says whether the day counts, `day` judges it, `evidence` adds days up, `words` shows them.
"""

from esus_pipeline.control.savings.day import judge
from esus_pipeline.control.savings.evidence import Evidence, evidence
from esus_pipeline.control.savings.known import Known, read_known
from esus_pipeline.control.savings.outcome import Outcome
from esus_pipeline.control.savings.words import by_day, by_room

__all__ = ["Evidence", "Known", "Outcome", "by_day", "by_room", "evidence", "judge", "read_known"]
