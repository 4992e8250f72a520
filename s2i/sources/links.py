"""Symbolic links of a source, resolved by arithmetic on paths: the file system is never asked to follow one."""

from __future__ import annotations

from collections.abc import Mapping

HOPS = 40  # as Linux


def follow(link: str, links: Mapping[str, str]) -> str:
    """Return the path in the tree that ``link`` leads to, through other links, or "" when it leads out of it.

    ``links`` maps each link's path to its target as written. An absolute target leads out; so does a circle.
    """
    todo, done, hops = link.split("/")[::-1], list[str](), 0
    while todo:
        part = todo.pop()
        if part in ("", "."):
            continue
        if part == "..":
            if not done:
                return ""
            done.pop()
            continue
        done.append(part)
        target = links.get("/".join(done))
        if target is None:
            continue
        hops += 1
        if hops > HOPS or target.startswith("/"):
            return ""
        done.pop()
        todo.extend(target.split("/")[::-1])
    return "/".join(done)
