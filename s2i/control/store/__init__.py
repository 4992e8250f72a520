"""What was asked for, and what happened: the only SQL. What runs is read from the engine, not from here.

Each document is one msgspec JSON blob beside the columns that it is looked up by.
"""

from __future__ import annotations

from s2i.control.store.apps import Apps
from s2i.control.store.bundles import Bundles
from s2i.control.store.deeds import Deeds
from s2i.control.store.deployments import Deployments
from s2i.control.store.hours import Hours
from s2i.control.store.jobs import Jobs
from s2i.control.store.people import People
from s2i.control.store.projects import Projects
from s2i.control.store.volumes import Volumes

TABLES = (
    *("apps", "revisions", "jobs", "jobruns", "tasks", "deployments", "events"),
    *("bundles", "bundle_versions", "hours", "projects"),
    *("tokens", "members"),
)


class Store(Apps, Jobs, Deployments, Bundles, Hours, Projects, People, Deeds, Volumes):
    """The database of one server. Every method is one transaction; all are safe to call from any thread."""

    def clear(self, *, volumes: bool = False) -> None:
        """Forget everything but the server's id, the counters of runs and the audit log; volumes only if they go."""
        with self._write() as db:
            for table in (*TABLES, *(("volumes",) if volumes else ())):
                db.execute(f"DELETE FROM {table}")  # noqa: S608
