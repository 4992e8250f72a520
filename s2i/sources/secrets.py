"""Files that look like somebody's secrets: left out of every source unless .s2iignore names them with `!`.

Names are compared in lower case. What only may be a secret by its name is one if its content says so.
"""

from __future__ import annotations

import re

NAMES = frozenset(
    (
        ".boto",
        ".databrickscfg",
        ".dockercfg",
        ".envrc",
        ".htpasswd",
        ".my.cnf",
        ".mylogin.cnf",
        ".netrc",
        ".npmrc",
        ".pgpass",
        ".pypirc",
        ".s3cfg",
        ".terraformrc",
        ".vault-token",
        "_netrc",
        "kaggle.json",
        "kubeconfig",
        "pip.conf",
        "pip.ini",
    )
)
STARTS = (".git-credentials", "id_dsa", "id_ecdsa", "id_ed25519", "id_rsa", "terraform.tfstate")
ENDS = (".jks", ".kdbx", ".keystore", ".p12", ".pfx", ".ppk")
PUBLIC = (".pub", ".py")  # id_rsa.pub; a module that is called id_rsa_check.py
STREAMLIT = ".streamlit/secrets.toml"  # of many projects; the file's name alone says too little
FOLDERS = frozenset((".aws", ".azure", ".docker", ".gnupg", ".kube", ".ssh"))
GCLOUD = "/.config/gcloud/"
TEMPLATES = frozenset(("default", "defaults", "dist", "example", "sample", "template"))

# Certificates have these names too, and a key often has a name without a suffix.
KEYS = (".key", ".p8", ".pem")
KEY_MARK = b"PRIVATE KEY-----"
KEY_HEADER = rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,4}PRIVATE KEY-----"
KEY_SIZE = range(64, (64 << 10) + 1)
# The key of a service account of Google.
ACCOUNT_SIZE = range(64, 16 << 10)
ACCOUNT = (b'"private_key"', b'"service_account"')


def folder(at: str, name: str) -> bool:
    """Say whether the folder ``name`` in the folder ``at`` ("" or ending in a slash) holds secrets."""
    name = name.lower()
    return name in FOLDERS or (name == "gcloud" and f"/{at.lower()}{name}/".endswith(GCLOUD))


def by_name(name: str, path: str = "") -> bool:
    """Say whether a file called ``name`` is taken for a secret, wherever it is or at ``path``."""
    name = name.lower()
    if name in NAMES or name.endswith(ENDS) or f"/{path.lower()}".endswith(f"/{STREAMLIT}"):
        return True
    if name.startswith("client_secret") and name.endswith(".json"):  # of OAuth, as Google calls the file
        return True
    if name.startswith(".env.") or name.endswith(".env"):
        return not _is_template(name)
    return name.startswith(STARTS) and not name.endswith(PUBLIC)


def to_read(name: str, size: int) -> int:
    """Return how many bytes of the file ``name`` of ``size`` bytes by_content needs to see, 0 for most files."""
    name = name.lower()
    if name.endswith(KEYS):
        return KEY_SIZE[-1]
    if "." not in name[1:]:
        return size if size in KEY_SIZE else 0
    if name.endswith(".json") and ("service" in name or "credential" in name):
        return size if size in ACCOUNT_SIZE else 0
    return 0


def by_content(name: str, head: bytes) -> bool:
    """Say whether the file ``name`` that begins with ``head`` is a private key."""
    name = name.lower()
    if name.endswith(KEYS):
        return KEY_MARK in head
    if name.endswith(".json"):
        return all(mark in head for mark in ACCOUNT)
    return KEY_MARK in head and re.search(KEY_HEADER, head) is not None


def _is_template(name: str) -> bool:
    """Say whether ``name`` is an example of a .env file: .env.example, prod.env.dist, sample.env."""
    *_, before, last = re.split(r"[._-]", name)
    return last in TEMPLATES or (last == "env" and before in TEMPLATES)
