"""Django: its settings are read, never imported; they name the application and say what has to be done for it."""

from buildpacks.python.django.application import entry
from buildpacks.python.django.database import migrations
from buildpacks.python.django.project import Project, find
from buildpacks.python.django.site import Site, site

__all__ = ["Project", "Site", "entry", "find", "migrations", "site"]
