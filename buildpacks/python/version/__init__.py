"""Which Python: what the source asks for (``asked``), what its pins can be installed on (``pins``), what is offered.

``wish`` has the type that all sources of it share, and how versions and specifiers are read.
"""

from buildpacks.python.version.asked import wishes
from buildpacks.python.version.choose import Version, choose
from buildpacks.python.version.pins import limits
from buildpacks.python.version.wish import Wish, caret, pin, specifier

__all__ = ["Version", "Wish", "caret", "choose", "limits", "pin", "specifier", "wishes"]
