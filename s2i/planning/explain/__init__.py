"""Argue a plan: what was read, what was decided and why, what the build does, how the image runs.

Pure: a Tree, its plan and the text of its Dockerfile in, values out; how they look is the business of the command line.
"""

from s2i.planning.explain.lines import explain_line
from s2i.planning.explain.story import explain
from s2i.planning.explain.values import Explanation, LineExplanation

__all__ = ["Explanation", "LineExplanation", "explain", "explain_line"]
