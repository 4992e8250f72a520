"""Choose the manifest: which file says what has to be installed, and how. One module a format; ``order`` chooses."""

from buildpacks.python.manifest.facts import Manager, Manifest
from buildpacks.python.manifest.order import read

__all__ = ["Manager", "Manifest", "read"]
