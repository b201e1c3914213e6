"""Write grafana/dashboards/*.json anew: `python -m grafana.source`."""

import json
import warnings
from pathlib import Path

warnings.simplefilter("ignore", DeprecationWarning)  # the SDK recommends the schema of a later Grafana

from grafana_foundation_sdk.cog.encoder import JSONEncoder  # noqa: E402

from grafana.source import building, overview, pipeline, plan, quality, rooms  # noqa: E402

FOLDER = Path(__file__).parents[1] / "dashboards"
BOARDS = (overview, rooms, plan, quality, pipeline, building)


def files() -> dict[str, str]:
    """File name and text of every dashboard."""
    found = {}
    for module in BOARDS:
        dashboard = module.dashboard().build()
        for number, panel in enumerate(dashboard.panels or [], start=1):
            panel.id_val = number
        plain = json.loads(json.dumps(dashboard, cls=JSONEncoder))
        for link in plain["links"]:
            del link["placement"]  # the SDK hides every link in a menu; without a word they stand above the panels
        found[f"{dashboard.uid}.json"] = json.dumps(plain, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return found


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name, text in files().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
