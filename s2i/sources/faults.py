"""What git says when it fails, as an error of ours. Git speaks English here: LC_ALL is fixed."""

from __future__ import annotations

import re
import signal

from s2i.errors import (
    E_COMMIT_MISSING,
    E_GIT,
    E_GIT_AUTH,
    E_GIT_FSCK,
    E_GIT_HOST_KEY,
    E_GIT_REDIRECT,
    E_GIT_TIMEOUT,
    E_GIT_TLS,
    E_GIT_UNREACHABLE,
    E_TREE_TOO_BIG,
    Kind,
    S2IError,
)
from s2i.shell import Completed
from s2i.sources.git import Remote
from s2i.sources.limits import Limits

# The first that is found in what git printed decides; so the exact ones come first.
SAYINGS: tuple[tuple[str, Kind], ...] = (
    (r"Host key verification failed|No \w+ host key is known", E_GIT_HOST_KEY),
    (r"Operation too slow|Operation timed out|Connection timed out|Timeout was reached", E_GIT_TIMEOUT),
    (r"Could not resolve|Couldn't connect|Failed to connect|Connection refused|No route to host", E_GIT_UNREACHABLE),
    (r"Network is unreachable|Temporary failure|Name or service not known|Empty reply", E_GIT_UNREACHABLE),
    (r"Could not resolve proxy|CONNECT tunnel failed|Recv failure|unexpected disconnect", E_GIT_UNREACHABLE),
    (r"returned error: (?:429|5\d\d)|early EOF|Connection reset|Connection closed", E_GIT_UNREACHABLE),
    (r"certificate|SSL|TLS|CAfile", E_GIT_TLS),
    (r"returned error: 30\d|redirect", E_GIT_REDIRECT),
    (r"error: object [0-9a-f]+: \w+|fsck error|badTree|hasDot|fullPathname|gitmodules\w+", E_GIT_FSCK),
    (r"not our ref|unadvertised object|remote ref [0-9a-f]{40,64}$|does not support.*object", E_COMMIT_MISSING),
    (r"File too large|out of memory|Cannot allocate memory|cannot be mapped|exceeds maximum", E_TREE_TOO_BIG),
    # index-pack is ended by the limit's signal without a word of its own.
    (r"\A(?:remote:.*\n)*fatal: fetch-pack: invalid index-pack output\s*\Z", E_TREE_TOO_BIG),
    (r"could not read (?:Username|Password)|Authentication failed|Permission denied|access denied", E_GIT_AUTH),
    (r"returned error: 4\d\d|not found|not valid: is this a git repository|does not appear to be a git", E_GIT_AUTH),
)
# Lines of the server begin so; and these say nothing to a person.
_NOISE = re.compile(
    r"remote: *|Cloning into.*|Please make sure you have .*|and the repository exists\.|warning: .*|hint: .*"
)
# The signal that ends a process which writes past its limit.
_TOO_LARGE = -signal.SIGXFSZ


def explain(done: Completed, remote: Remote, limits: Limits, commit: str = "") -> S2IError:
    """Return the error for a git command on ``remote`` that failed."""
    text = done.err.decode("utf-8", "replace")
    host, url = remote.at.host, remote.url
    lines = [line.strip() for line in text.splitlines() if line.strip() and not _NOISE.fullmatch(line.strip())]
    why = _shorter(lines, url) or f"it ended with status {done.code}"
    kind = next((kind for saying, kind in SAYINGS if re.search(saying, text, re.MULTILINE | re.IGNORECASE)), E_GIT)
    if done.code == _TOO_LARGE or kind is E_TREE_TOO_BIG:
        size = f"more than {limits.size:,}"
        return E_TREE_TOO_BIG(size=size, limit=f"{limits.size:,}", most="", advice="give a smaller repository")
    return kind(host=host, url=url, why=why, commit=commit)


def _shorter(lines: list[str], url: str) -> str:
    """Return the line that says most, without what git puts before it and without the URL, which is named anyway."""
    telling = [line for line in lines if line.startswith(("error:", "fatal:"))] or lines
    first = telling[0] if telling else ""
    first = re.sub(r"^(?:fatal|error): ", "", first)
    return re.sub(rf"^unable to access '{re.escape(url)}/?': ", "", first)
