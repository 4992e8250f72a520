"""Where code comes from: a folder or a Git repository, read once into a Tree that cannot leave its root."""

from s2i.sources.fetch import fetch
from s2i.sources.limits import Limits
from s2i.sources.policy import ALLOW, Policy
from s2i.sources.source import Folder, Git, Given, Source, Upload, parse
from s2i.sources.tree import Entry, Notice, Origin, Tree
from s2i.sources.workspace import workspace

__all__ = [
    "ALLOW",
    "Entry",
    "Folder",
    "Git",
    "Given",
    "Limits",
    "Notice",
    "Origin",
    "Policy",
    "Source",
    "Tree",
    "Upload",
    "fetch",
    "parse",
    "workspace",
]
