"""Build runs: each execution of a build has a folder with its record, its plan and its events.

``dirs.state()/builds/ID/`` holds run.json (BuildRun), plan.json and events.jsonl (see wire).
"""

from s2i.images.runs.record import recorded
from s2i.images.runs.run import BuildRun, new_id

__all__ = ["BuildRun", "new_id", "recorded"]
