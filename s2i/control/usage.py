"""What a server needs which image for. Pure reading of the store."""

from __future__ import annotations

from typing import Literal

import msgspec

from s2i.control.store import Store
from s2i.resources.app import App, Revision


class ImageUse(msgspec.Struct, frozen=True):
    """One reason why an image stays: a revision that serves or can be gone back to, a job, an open run.

    ``number`` is the revision's; ``status`` one word; ``text`` the whole for people.
    """

    image: str
    project: str
    kind: Literal["app", "job", "jobrun"]
    name: str
    text: str
    number: int = 0
    status: str = ""


def uses(store: Store) -> tuple[ImageUse, ...]:
    """Return every use of an image, by project and name: the newest revision of an app first.

    A revision that failed never served: nobody can go back to it, and its image is not needed.
    """
    found: list[ImageUse] = []
    revisions = store.revisions_by_app()
    for app in store.apps(hidden=True):  # of a deleted project, too: it may be restored
        for one in reversed(revisions.get((app.project, app.name), [])):
            if needed(app, one):
                found.append(_revision(app, one))
    for job in store.jobs(hidden=True):
        text = f"the job {job.name} of the project {job.project} runs it"
        found.append(ImageUse(job.image, job.project, "job", job.name, text))
    for run in store.open_runs():
        text = f"the job run {run.name} of the project {run.project} is not at its end"
        found.append(ImageUse(run.image, run.project, "jobrun", run.name, text, status=run.status))
    return tuple(found)


def needed(app: App, revision: Revision) -> bool:
    """Say whether ``revision`` serves, is to serve, or can be gone back to."""
    return revision.status != "failed" or revision.number in (app.serving, app.target)


def _revision(app: App, one: Revision) -> ImageUse:
    serves = one.number == app.serving
    does = "serves" if serves else "is to serve" if one.number == app.target else "can be gone back to"
    text = f"revision {one.number} of the app {app.name} of the project {app.project} {does}"
    return ImageUse(one.image, app.project, "app", app.name, text, one.number, "serving" if serves else one.status)


def building(store: Store) -> bool:
    """Say whether a build is under way, whose image nobody has written down yet."""
    return any(one.status == "building" for one in store.deployments())
