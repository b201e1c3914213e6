"""The body of `esus evaluate`."""

import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from esus_pipeline.control.evaluation.page import evaluation_page
from esus_pipeline.control.evaluation.protocol import PlantError
from esus_pipeline.control.evaluation.report import document, table
from esus_pipeline.control.evaluation.study import Study, StudyError, run_study

FAILURES = (StudyError, PlantError)
"""What can be wrong with a study; the messages say what to change."""


def evaluate(
    plant: str,
    controllers: Sequence[str],
    starts: Sequence[datetime],
    days: float,
    seeds: Sequence[int],
    json_file: Path | None,
    html_file: Path | None,
    epw: Path | None,
    say: Callable[[str], None],
    teach: float = 0.0,
) -> str:
    """Make a study, write its files (the figures after every seed), return its table.

    Raises:
        StudyError, PlantError: the messages say what to change.
    """

    def keep(study: Study) -> None:
        if json_file is not None:
            json_file.write_text(json.dumps(document(study), indent=1) + "\n")

    study = run_study(plant, controllers, starts, days, seeds, epw, say, keep, teach)
    if html_file is not None:
        html_file.write_text(evaluation_page(study))
    return table(study)
