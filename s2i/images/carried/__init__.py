"""What an image carries: labels on it; its plan, provenance and bill of materials (SBOM) as files beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from s2i.images.carried import folder
from s2i.sources import Notice

if TYPE_CHECKING:
    from s2i.images.events import Image
    from s2i.images.request import BuildRequest
    from s2i.planning.plan import BuildPlan
    from s2i.sources import Tree
    from s2i.wire import Wire


def keep(
    engine: Wire,
    image: Image,
    tree: Tree,
    plan: BuildPlan,
    request: BuildRequest,
    dockerfile: str,
    bases: Mapping[str, str],
    how: str,
    on_notice: Callable[[Notice], None],
) -> None:
    """Put the files of a new image beside it; of one that has them, note that it was built again.

    ``bases``: the id of each image that it started from; ``how``: the client that built. What the engine last called
    itself is taken for its name and version. That the files cannot be written fails no build.
    """
    if folder.known(image.id):
        return
    from s2i.errors import S2IError
    from s2i.images.carried import write
    from s2i.images.carried.provenance import Made
    from s2i.sources.tree import STAGED_TIME

    now = time.time()
    made = Made(
        image=image.id,
        title=request.title,
        tags=image.tags,
        plan=plan,
        dockerfile=dockerfile,
        origin=tree.origin,
        bases=tuple(bases.items()),
        client=how,
        engine=engine.server.partition(" (")[0].replace("/", " "),
        began=now - image.seconds,
        ended=now,
        epoch=tree.origin.time or STAGED_TIME,
        cache=request.cache,
    )
    try:
        write.write(made)
    except (OSError, S2IError) as error:
        on_notice(Notice("W_RECORD", f"the plan and the provenance could not be kept beside the image: {error}"))
