"""Where code comes from: a folder or a Git repository, read once into a Tree that cannot leave its root."""

from s2i.sources.source import Folder, Git, Source, parse
from s2i.sources.tree import Entry, Notice, Origin, Tree

__all__ = ["Entry", "Folder", "Git", "Notice", "Origin", "Source", "Tree", "parse"]
