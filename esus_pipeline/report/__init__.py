"""The plan for people: `plan_words` for a terminal, `plan_page` for a browser, `plan_plot` as one small picture.

Belongs here: showing what a plan says. Does not belong here: deciding anything, or reading and writing files.
"""

from esus_pipeline.report.page import plan_page
from esus_pipeline.report.plot import plan_plot
from esus_pipeline.report.words import plan_words

__all__ = ["plan_page", "plan_plot", "plan_words"]
