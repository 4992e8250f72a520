"""Files that look like somebody's secrets: left out of every source unless .s2iignore names them with `!`."""

from __future__ import annotations

from fnmatch import fnmatchcase

NAMES = (
    ".env",
    ".env.*",
    ".envrc",
    ".git-credentials",
    ".htpasswd",
    ".netrc",
    ".pgpass",
    ".pypirc",
    "_netrc",
    "id_dsa",
    "id_ecdsa",
    "id_ed25519",
    "id_rsa",
    "pip.conf",
    "pip.ini",
    "*.jks",
    "*.p12",
    "*.pfx",
)
FOLDERS = (".aws", ".azure", ".docker", ".gnupg", ".kube", ".ssh")
TEMPLATES = (".env.dist", ".env.example", ".env.sample", ".env.template", ".env.defaults")
# Certificates have these names too: the content decides.
MAYBE_KEYS = (".key", ".pem")
KEY_MARK = b"PRIVATE KEY-----"
KEY_HEAD = 4096

_EXACT = frozenset(name for name in NAMES if "*" not in name)
_PATTERNS = tuple(name for name in NAMES if "*" in name)


def by_name(name: str) -> bool:
    """Say whether a file called ``name`` is taken for a secret."""
    if name in _EXACT:
        return True
    return name not in TEMPLATES and any(fnmatchcase(name, pattern) for pattern in _PATTERNS)


def is_key(head: bytes) -> bool:
    """Say whether a file that begins with ``head`` (KEY_HEAD bytes) is a private key."""
    return KEY_MARK in head
