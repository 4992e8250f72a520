"""The folders that a program imports from: its own, and those above it that it reaches into."""

from __future__ import annotations

import sys

from buildpacks.python.manifest import imports
from buildpacks.python.requirements import normalise
from s2i.planning.code import Code


def folders(code: Code, start: str, root: str, installed: frozenset[str]) -> tuple[str, ...]:
    """Return where the module ``start``, which is imported from ``root``, finds what it imports; () for the top alone.

    A folder above counts when a module is there, and nowhere nearer, that is imported and that nothing ``installed``
    is called after: from src/web/app.py `import models` may mean src/models.
    """
    if not root:
        return ()
    reached = imports.reached(code, start)
    wanted = {name for module in reached for name in module.imports if name not in sys.stdlib_module_names}
    wanted = {name for name in wanted if normalise(name) not in installed}
    above = {m.root for m in reached if m.name.partition(".")[0] in wanted and _is_above(m.root, root)}
    return (root, *sorted(above, key=len, reverse=True))


def _is_above(folder: str, root: str) -> bool:
    return folder != root and (not folder or root.startswith(f"{folder}/"))
