"""From what a failed build or start printed to one cause, the line that proves it and one fix. Knowledge: faults/."""

from s2i.images.diagnose.build import Failed, diagnose
from s2i.images.diagnose.explanation import Explanation
from s2i.images.diagnose.manifest import requirement
from s2i.images.diagnose.start import Seen, start

__all__ = ["Explanation", "Failed", "Seen", "diagnose", "requirement", "start"]
