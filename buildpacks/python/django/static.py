"""Static files: gathered in the build, and served beside the application when it does not do so itself."""

from __future__ import annotations

import re

import msgspec

from buildpacks.python.django import variables
from buildpacks.python.django.project import Project
from buildpacks.python.steps import VENV
from s2i.planning.candidates import Candidate
from s2i.planning.code import Code
from s2i.planning.plan import Decision, Run, Step
from s2i.planning.settings import Given
from s2i.sources import Notice, Tree

WHITENOISE = "whitenoise>=5.3,<7"
MODULE = "s2i_static"
_STATICFILES = "django.contrib.staticfiles"
_REMOTE = re.compile(r"storages\.backends\.\w.*|.*\b(?:s3|S3|GoogleCloud|Azure)\w*Storage")
# For settings that set STATIC_ROOT in a branch only: whether that is taken is known when they are imported.
_IF_SET = """import django; django.setup();
from django.conf import settings;
from django.core.management import call_command;
(call_command("collectstatic", interactive=False) if settings.STATIC_ROOT
else print("STATIC_ROOT is not set here: there is nothing to gather"))"""
# No backslash may stand in a Dockerfile's words: the lines of the module are words of their own.
_WRITE = (
    "import pathlib, sys, sysconfig;\n"
    f'pathlib.Path(sysconfig.get_path("purelib"), "{MODULE}.py").write_text(chr(10).join(sys.argv[1:]))'
)


class Gathered(msgspec.Struct, frozen=True):
    """Whether static files are gathered in the build, and by which step."""

    decision: Decision
    step: Run | None = None
    notices: tuple[Notice, ...] = ()


class Served(msgspec.Struct, frozen=True):
    """What the server is given so that static files are served."""

    app: Candidate
    needs: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    decisions: tuple[Decision, ...] = ()
    notices: tuple[Notice, ...] = ()


def gather(tree: Tree, given: Given, project: Project) -> Gathered:
    """Decide on collectstatic: what s2i.toml says holds, else what the settings need."""
    said = given.settings.collectstatic
    if said is not None:
        where = given.where(tree, "collectstatic")
        return _yes(project, where, certain=True) if said else Gathered(Decision("collectstatic", "no", where))
    apps, root = project.get("INSTALLED_APPS"), project.get("STATIC_ROOT")
    backend = _remote(project)
    if _STATICFILES not in project.words():
        origin = apps.where if apps else f"{project.settings.path}:1"
        return Gathered(Decision("collectstatic", f"no: {_STATICFILES} is not in INSTALLED_APPS", origin))
    if backend:
        return Gathered(Decision("collectstatic", f"no: {backend[0]} keeps them elsewhere", backend[1]))
    if root is None or (root.constant.literal and root.constant.value in ("", "None")):
        origin = root.where if root else (apps.where if apps else f"{project.settings.path}:1")
        return Gathered(Decision("collectstatic", "no: STATIC_ROOT is not set", origin), None, _lost(tree, project))
    return _yes(project, root.where, certain=root.constant.certain or project.by_class)


def serve(code: Code, project: Project, app: Candidate, installed: frozenset[str]) -> Served:
    """Wrap the application, unless it serves its static files itself or another host does (STATIC_URL)."""
    module, url = code.modules[app.module], project.get("STATIC_URL")
    if _serves_itself(project) or module.imports & {"whitenoise", "dj_static"}:
        return Served(app)
    if url is None or any(word.startswith(("http:", "https:", "//")) for word in url.constant.words):
        return Served(app)
    # A module's name may have a dash, which no `import` statement can say.
    lines = (
        "import importlib",
        f'served = importlib.import_module("{app.module}").{app.name}',
        *(_ASGI if app.kind == "asgi" else _WSGI),
    )
    why = f"Write {MODULE}: the application, with its static files in front of it"
    write = Run("build", why, (f"{VENV}/bin/python", "-c", _WRITE, *lines))
    wrapper = msgspec.structs.replace(app, module=MODULE, name="application")
    decision = Decision("static files", f"served by whitenoise at {url.constant.value or 'STATIC_URL'}", url.where)
    return Served(wrapper, () if "whitenoise" in installed else (WHITENOISE,), (write,), (decision,))


_ROOT = (
    "from urllib.parse import urlsplit",
    "from django.conf import settings",
    "from whitenoise import WhiteNoise",
    "root, prefix = settings.STATIC_ROOT, urlsplit(settings.STATIC_URL).path",
)
_WSGI = (*_ROOT, "application = WhiteNoise(served, root=str(root), prefix=prefix) if root else served")
_ASGI = (
    "from asgiref.wsgi import WsgiToAsgi",
    *_ROOT,
    "def missing(environ, start_response):",
    '    start_response("404 Not Found", [("Content-Type", "text/plain")])',
    '    return [b"not found"]',
    "files = WsgiToAsgi(WhiteNoise(missing, root=str(root), prefix=prefix)) if root else served",
    "async def application(scope, receive, send):",
    '    is_file = scope["type"] == "http" and prefix != "/" and scope["path"].startswith(prefix)',
    "    await (files if is_file else served)(scope, receive, send)",
)


def _yes(project: Project, where: str, *, certain: bool) -> Gathered:
    env = variables.values(project)
    argv: tuple[str, ...] = ("python", project.manage, "collectstatic", "--noinput")
    if not certain:
        argv = ("python", "-c", _IF_SET)
    elif not project.manage:
        argv = ("python", "-m", "django", "collectstatic", "--noinput")
    if argv[1] != project.manage:
        env |= variables.settings(project)
    key = ", with a key that is used nowhere else" if variables.THROW_AWAY in env.values() else ""
    step = Run("runtime", f"Gather Django's static files{key}", argv, tuple(sorted(env.items())))
    return Gathered(Decision("collectstatic", "in the build", where), step)


def _remote(project: Project) -> tuple[str, str] | None:
    """Return the storage that keeps static files on another machine, and where it is set."""
    for name in ("STATICFILES_STORAGE", "STORAGES"):
        setting = project.get(name)
        if setting is None or not setting.constant.certain:
            continue
        words = setting.constant.words
        after = words[words.index("staticfiles") + 1 :] if "staticfiles" in words else words
        backend = next((word for word in after if "." in word), "")
        if (name != "STORAGES" or "staticfiles" in words) and _REMOTE.fullmatch(backend):
            return backend, setting.where
    return None


def _serves_itself(project: Project) -> bool:
    return any(word.startswith("whitenoise.middleware") for word in project.words())


def _lost(tree: Tree, project: Project) -> tuple[Notice, ...]:
    """Say that files will not be served: where there are some, and nothing finds them without STATIC_ROOT."""
    finders, debug = project.get("WHITENOISE_USE_FINDERS"), project.get("DEBUG")
    finds = any(setting and setting.constant.value == "True" for setting in (finders, debug))
    has_some = any("static" in e.path.split("/")[:-1] for e in tree.files)
    if (_serves_itself(project) and finds) or not (has_some or "django.contrib.admin" in project.words()):
        return ()
    apps = project.get("INSTALLED_APPS")
    text = 'static files are not served: add STATIC_ROOT = BASE_DIR / "staticfiles" to the settings'
    return (Notice("W_STATIC", text, apps.where if apps else project.settings.path),)
