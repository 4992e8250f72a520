"""Django: its settings are read, never imported; they name the application and say what has to be done for it.

What only a Django site needs stands in ``site`` and is imported for one: planning anything else does without.
"""

from buildpacks.python.django.application import entry
from buildpacks.python.django.project import Project, find

__all__ = ["Project", "entry", "find"]
