"""Reading the building: the client of the BMS API v1 and the parsing of what it sends.

`BmsClient` is the way in. Inside: `config` (address and limits), `fetch` (one HTTP request), `poll` (many points, few
requests), `result` (what a poll gives), `parse` with `stamps` and `values` (bytes to readings and quarantine),
`metadata` (which points there are). Cleaning, units and plausibility do not belong here.
"""

from esus_pipeline.bms.client import BmsCheck, BmsClient
from esus_pipeline.bms.config import BmsConfig
from esus_pipeline.bms.errors import BmsConfigError, BmsCredentialsError, BmsError, BmsUnreachable
from esus_pipeline.bms.parse import REASONS
from esus_pipeline.bms.result import Poll

__all__ = [
    "REASONS",
    "BmsCheck",
    "BmsClient",
    "BmsConfig",
    "BmsConfigError",
    "BmsCredentialsError",
    "BmsError",
    "BmsUnreachable",
    "Poll",
]
