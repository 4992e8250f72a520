"""What people are shown of settings that may hold a password: a mask in its place, the rest as it is. Pure.

Whose name is a secret's is an argument, ``is_secret``; what tells no name, as a password in the middle of a word does
not, is not found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable

from s2i.patterns import lazily

IsSecret = Callable[[str], bool]
MASK = "***"
# There a user is most likely a token: https://TOKEN@host, https://TOKEN:x-oauth-basic@host.
TOKEN_SCHEMES = ("http", "https")

# With a user before the last @ of the host's part; or with a password that has a / ? or # in it, and is no port.
_URL = lazily(
    r"(?<![A-Za-z0-9+.-])([A-Za-z][A-Za-z0-9+.-]{0,40})://"
    r"(?:([^\s/?#\"']*)@|([^\s/?#@:\"']*:)(?![0-9]{0,5}(?:[/?#\s\"']|$))\S{1,512}@)"
)
_GIVEN = lazily(r"""(?<![\w.-])(-{0,2}[A-Za-z_][\w.-]*)=("[^"]*"|'[^']*'|[^\s&;"']+)""")
_FOLLOWED = lazily(r"""(?<!\S)(--?[A-Za-z][\w.-]*)(\s+)("[^"]*"|'[^']*'|[^\s"'-]\S*)""")
_OPTION = lazily(r"--?[A-Za-z][\w.-]*")
_NAME = lazily(r"-{0,2}[A-Za-z_][\w.-]*")


def value(name: str, content: str, is_secret: IsSecret) -> str:
    """Return the value of a variable: masked as a whole when its name is a secret's."""
    return MASK if is_secret(name) else text(content, is_secret)


def text(content: str, is_secret: IsSecret) -> str:
    """Return ``content`` without passwords: of URLs, of ``name=value`` and of ``--name value``."""
    shown = _URL.sub(_without_password, content)
    shown = _GIVEN.sub(lambda found: f"{found[1]}={MASK}" if _names(found[1], is_secret) else found[0], shown)
    return _FOLLOWED.sub(
        lambda found: f"{found[1]}{found[2]}{MASK}" if _names(found[1], is_secret) else found[0], shown
    )


def words(given: Iterable[str], is_secret: IsSecret) -> tuple[str, ...]:
    """Return the words of a command without passwords: as ``text``, and all of a word that the one before names."""
    shown: list[str] = []
    named = False
    for word in given:
        name, equals, content = word.partition("=")
        if named and not word.startswith("-"):
            shown.append(MASK)
        elif equals and content and _NAME.fullmatch(name) and _names(name, is_secret):
            shown.append(f"{name}={MASK}")
        else:
            shown.append(text(word, is_secret))
        named = bool(_OPTION.fullmatch(word)) and _names(word, is_secret)
    return tuple(shown)


def _without_password(found: re.Match[str]) -> str:
    scheme, userinfo = found[1], found[2] if found[2] is not None else found[3]
    user, colon, _ = userinfo.partition(":")
    if scheme.lower().rpartition("+")[2] in TOKEN_SCHEMES:
        return f"{scheme}://{MASK}@"
    return f"{scheme}://{user}:{MASK}@" if colon else found[0]


def _names(option: str, is_secret: IsSecret) -> bool:
    return is_secret(option.lstrip("-"))
