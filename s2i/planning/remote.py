"""What a Dockerfile has the engine itself fetch, from the network of the engine's own machine."""

from __future__ import annotations

from s2i.errors import E_DOCKERFILE
from s2i.patterns import lazily
from s2i.planning.dockerfile import PATH, instructions
from s2i.sources.policy import may_be_public

_URL = lazily(r"(?i)(?:https?|git|ssh)://[^\s\"',]+")


def check_remote(text: str) -> None:
    """Refuse an ADD from an address that only the engine's machine, or its network, can reach. Raises E_DOCKERFILE.

    Without a word to DNS: what a name leads to is the engine's to find out, when it fetches it.
    """
    for step in instructions(text):
        for url in _URL.findall(step.rest) if step.word == "ADD" else ():
            if not may_be_public(url):
                why = f"ADD {url}: the engine would fetch this from its own machine's network, or from who knows where"
                raise E_DOCKERFILE(why=why, where=f"{PATH}:{step.line}")
