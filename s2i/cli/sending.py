"""Send a folder of this machine to a server that is elsewhere: what the build of it needs, and nothing else."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from s2i import sources
from s2i.errors import E_UPLOAD
from s2i.sources import archive, local
from s2i.sources.commit import with_commit
from s2i.sources.upload import LIMIT

if TYPE_CHECKING:
    from s2i.cli.client import Client

KIND = "application/gzip"


def sent(client: Client, project: str, source: sources.Folder) -> tuple[sources.Upload, tuple[sources.Notice, ...]]:
    """Send a folder as `s2i build` would see it; return how a deployment names it, and what a person should know.

    Raises what listing it raises, E_UPLOAD when it is too much, and what the server refuses.
    """
    tree = with_commit(local.listing(source.path, source.subdir))
    with tempfile.TemporaryFile(prefix="s2i-") as file:
        archive.pack(tree, file)
        size = file.tell()
        if size > LIMIT:
            raise E_UPLOAD(why=f"packed it has {size / 1e6:.0f} MB, and {LIMIT / 1e6:.0f} MB are taken")
        file.seek(0)
        found = client.send(f"/v1/projects/{project}/uploads", file, size, KIND)
    title = Path(source.path, source.subdir).name or "folder"
    plain = "".join(letter if letter.isprintable() else "?" for letter in title)[:100]
    return sources.Upload(found["upload"], plain, tree.origin.commit), tree.notices
