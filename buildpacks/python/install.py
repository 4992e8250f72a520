"""The commands that install: uv does it, also what the lock of another tool holds, after that tool has exported it."""

from __future__ import annotations

from collections.abc import Iterator

from buildpacks.python.manifest import Manifest
from s2i.planning.plan import Base, Mount, Run

VENV = "/opt/venv"
CA = "/etc/ssl/certs/ca-certificates.crt"
# uv 0.9 reads pylock.toml and groups, and takes an index by --index.
UV = "uv>=0.9,<1"
EXPORTED = "/tmp/requirements.txt"  # noqa: S108 - in the build stage, which is thrown away
# The machine's own CA bundle, when the build is given one, lies over the base's: no tool has to be told where it is.
TRUST = Mount("secret", CA, id="ca")
UV_CACHE = Mount("cache", "/root/.cache/uv", id="s2i-uv")
PIP_CACHE = Mount("cache", "/root/.cache/pip", id="s2i-pip")
PDM_CACHE = Mount("cache", "/root/.cache/pdm", id="s2i-pdm")
_UV_ENV = (("UV_LINK_MODE", "copy"), ("SSL_CERT_FILE", CA))
# A project whose version comes from Git finds none in the image: the tools that ask take one from here.
_VERSIONS = (
    ("SETUPTOOLS_SCM_PRETEND_VERSION", "0.0.0"),
    ("PBR_VERSION", "0.0.0"),
    ("PDM_BUILD_SCM_VERSION", "0.0.0"),
    ("POETRY_DYNAMIC_VERSIONING_BYPASS", "0.0.0"),
)
# Of a folder uv notes when it was changed, and in RECORD the digest of that note: no two builds would be the same.
_FOLDER = (("UV_NO_INSTALLER_METADATA", "1"),)
_POETRY = ("poetry", "export", "--no-interaction", "--no-ansi", "--output", EXPORTED, "--only")
# `pipenv requirements` can only print. What it prints must not begin with an index that is PyPI under an old name.
_PIPENV = f'uv tool run --python "$1" --from "$2" pipenv requirements --hash --exclude-index > {EXPORTED}'


def dependencies(manifest: Manifest, base: Base, extra: tuple[str, ...]) -> Iterator[Run]:
    """Yield what installs the dependencies and ``extra``, which never changes the pins of a lock."""
    apart = manifest.exact or manifest.manager == "uv"
    match manifest.manager:
        case "uv":
            yield _uv_sync(manifest)
        case "poetry" | "pipenv" if manifest.locked:
            yield export(manifest, base)
            yield pip(
                manifest, f"Install exactly what {manifest.manager}'s lock holds", (*manifest.words, "-r", EXPORTED)
            )
        case "pdm" if manifest.locked:
            yield _pdm(manifest, base)
        case _ if manifest.words:
            words = manifest.words if apart else (*manifest.words, *extra)
            yield pip(manifest, _why(manifest), words)
            extra = extra if apart else ()
    if extra:
        yield pip(manifest, "Install what the source needs and does not declare", extra)


def pip(manifest: Manifest, why: str, what: tuple[str, ...]) -> Run:
    """Return `uv pip install` of ``what``, by the uv that the source wants."""
    env = (*_UV_ENV, *(_FOLDER if "." in what else ()))
    env += _VERSIONS if manifest.dynamic_version and "." in what else ()
    argv = (*_uv(manifest), "pip", "install", "--python", f"{VENV}/bin/python", *what)
    return Run("build", why, argv, env, (UV_CACHE, TRUST))


def _uv(manifest: Manifest) -> tuple[str, ...]:
    """Return uv, or the uv that required-version asks for, run by the one that is there."""
    if manifest.tool.startswith("uv"):
        return ("uv", "tool", "run", "--from", manifest.tool, "uv")
    return ("uv",)


def _why(manifest: Manifest) -> str:
    if manifest.builds_project:
        return "Install the project: only its build can say what it depends on"
    if manifest.manager == "pylock":
        return "Install exactly what pylock.toml holds"
    if manifest.stale:
        return "Resolve and install: the lock is out of date"
    if manifest.exact:
        return "Install exactly what requirements.txt pins by hash"
    return "Install the dependencies"


def _uv_sync(manifest: Manifest) -> Run:
    frozen = () if manifest.stale else ("--frozen",)
    apart = tuple(word for group in manifest.groups for word in ("--no-group", group))
    whole = ("--all-packages",) if manifest.workspace else ()
    argv = (
        *_uv(manifest), "sync", *frozen, "--no-dev", *apart, *whole, "--no-install-project",
        "--no-python-downloads",
    )  # fmt: skip
    why = "Resolve and install: the lock is out of date" if manifest.stale else "Install exactly what uv.lock holds"
    # A .python-version in the source names a patch release that the base may not have: the environment stands already.
    env = (("UV_PROJECT_ENVIRONMENT", VENV), ("UV_PYTHON", f"{VENV}/bin/python"), *_UV_ENV)
    return Run("build", why, argv, env, (UV_CACHE, TRUST))


def uv_export(manifest: Manifest, base: Base) -> Run:
    """Return what turns uv.lock into requirements with exact versions and hashes, in EXPORTED."""
    apart = tuple(word for group in manifest.groups for word in ("--no-group", group))
    argv = (
        *_uv(manifest), "export", "--quiet", "--frozen", "--no-dev", *apart, "--no-emit-project", "--no-header",
        "--no-annotate", "--no-python-downloads", "--output-file", EXPORTED,
    )  # fmt: skip
    env = (("UV_PYTHON", base.interpreter), *_UV_ENV)
    return Run("resolve", "Let uv say what its lock holds", argv, env, (UV_CACHE, TRUST))


def uv_compile(manifest: Manifest, base: Base, files: tuple[str, ...]) -> Run:
    """Return what resolves the requirements in ``files`` to exact versions, in EXPORTED."""
    argv = (
        *_uv(manifest), "pip", "compile", "--quiet", "--python", base.interpreter, "--no-header", "--no-annotate",
        "--output-file", EXPORTED, *files,
    )  # fmt: skip
    return Run("resolve", "Resolve the dependencies to exact versions", argv, _UV_ENV, (UV_CACHE, TRUST))


def export(manifest: Manifest, base: Base) -> Run:
    """Return what turns a lock into requirements. It asks no index: poetry.lock and Pipfile.lock say all."""
    why = f"Let {manifest.manager} say what its lock holds, for uv to install"
    argv: tuple[str, ...]
    if manifest.manager == "poetry":
        run = (
            "uv",
            "tool",
            "run",
            "--python",
            base.interpreter,
            "--from",
            manifest.tool,
            "--with",
            "poetry-plugin-export",
        )
        argv = (*run, *_POETRY, ",".join(("main", *manifest.groups)))
    else:
        argv = ("sh", "-c", _PIPENV, "sh", base.interpreter, manifest.tool)
    return Run("build", why, argv, _UV_ENV, (UV_CACHE, TRUST))


def _pdm(manifest: Manifest, base: Base) -> Run:
    argv = (
        "uv", "tool", "run", "--python", base.interpreter, "--from", manifest.tool,
        "pdm", "install", "--prod", "--no-self", "--no-editable", "--frozen-lockfile",
    )  # fmt: skip
    env = (("VIRTUAL_ENV", VENV), ("PDM_CHECK_UPDATE", "0"), ("REQUESTS_CA_BUNDLE", CA), *_UV_ENV)
    return Run("build", "Install exactly what pdm.lock holds", argv, env, (UV_CACHE, PDM_CACHE, TRUST))
