"""What a Django project needs: read from its settings, which are never imported."""

from __future__ import annotations

import ast

import pytest

from buildpacks.python import django
from buildpacks.python.django import database, static, variables
from s2i.errors import E_AMBIGUOUS, E_ENTRYPOINT, S2IError
from s2i.images.dockerfile import render
from s2i.planning import code, constants
from s2i.planning.constants import Read

MANAGE = "import os\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.settings')\n"
WSGI = "from django.core.wsgi import get_wsgi_application\n" + MANAGE + "application = get_wsgi_application()\n"
ASGI = "from django.core.asgi import get_asgi_application\n" + MANAGE + "application = get_asgi_application()\n"
SETTINGS = """\
INSTALLED_APPS = ["django.contrib.staticfiles", "shop"]
MIDDLEWARE = []
ROOT_URLCONF = "shop.urls"
WSGI_APPLICATION = "shop.wsgi.application"
SECRET_KEY = "x"
DATABASES = {}
ALLOWED_HOSTS = ["*"]
STATIC_URL = "/static/"
STATIC_ROOT = "collected"
"""
SQLITE = "DATABASES = {'default': {'ENGINE': 'django.db.backends.sqlite3', 'NAME': BASE_DIR / 'db'}}\n"
THROW_AWAY = variables.THROW_AWAY


def project(settings: str = SETTINGS, **more: str) -> dict[str, str | bytes]:
    """Return a project as startproject makes it. ``shop__x`` is shop/x.py."""
    files: dict[str, str | bytes] = {
        "requirements.txt": "django\n", "manage.py": MANAGE, "shop/__init__.py": "", "shop/settings.py": settings,
        "shop/wsgi.py": WSGI, "shop/asgi.py": ASGI,
    }  # fmt: skip
    return files | {f"{name.replace('__', '/')}.py": text for name, text in more.items()}


def setting(name: str, value: str) -> str:
    """Return the settings with one of them changed."""
    return "".join(f"{line}\n" for line in SETTINGS.splitlines() if not line.startswith(name)) + f"{name} = {value}\n"


def decided(plan, what: str) -> tuple[str, str]:
    return next((d.value, d.origin) for d in plan.decisions if d.what == what)


def step(plan, words: str):
    return next((s for s in plan.steps if words in s.why), None)


def codes(plan) -> list[str]:
    return [w.code for w in plan.warnings]


def collects(plan) -> dict[str, str]:
    """Return the variables of the step that gathers the static files."""
    found = step(plan, "Gather") or step(plan, "static files")
    return {name: value for name, value in found.env if name != "PYTHONDONTWRITEBYTECODE"}


# Static files ---------------------------------------------------------------------------------------------------


def test_static_files_are_gathered_and_served_without_whitenoise(plan_of):
    plan = plan_of(project())
    assert "shop.wsgi:application" == plan.entry
    assert "s2i_static:application" == plan.start[-1]
    assert ("served by whitenoise at /static/", "shop/settings.py:8") == decided(plan, "static files")
    assert "whitenoise>=5.3,<7" in step(plan, "Install the dependencies").then[0]
    assert repr('served = importlib.import_module("shop.wsgi").application') in str(step(plan, "s2i_static").then)
    assert ("python", "manage.py", "collectstatic", "--noinput") == step(plan, "Gather").then[0]
    assert [] == codes(plan)


def test_a_wrapped_plan_can_be_rendered_for_wsgi_and_for_asgi(plan_of):
    asgi = SETTINGS.replace("WSGI_APPLICATION", "ASGI_APPLICATION").replace("shop.wsgi", "shop.asgi")
    assert 'served = importlib.import_module("shop.wsgi").application' in render(plan_of(project()))
    assert "async def application(scope, receive, send):" in render(plan_of(project(asgi)))


def test_the_lines_of_both_wrappers_are_python():
    for lines in (static._WSGI, static._ASGI):
        ast.parse("\n".join(lines))


@pytest.mark.parametrize(
    "files",
    [
        project(setting("MIDDLEWARE", '["whitenoise.middleware.WhiteNoiseMiddleware"]')),
        project(SETTINGS + "if not DEBUG:\n    MIDDLEWARE.insert(0, 'whitenoise.middleware.WhiteNoiseMiddleware')\n"),
        project(shop__wsgi=WSGI + "from whitenoise import WhiteNoise\napplication = WhiteNoise(application)\n"),
        project(setting("STATIC_URL", '"https://cdn.example.com/"')),
    ],
    ids=["in the middleware", "in a branch", "in wsgi.py", "on another host"],
)
def test_an_application_that_serves_its_static_files_is_not_wrapped(plan_of, files):
    plan = plan_of(files)
    assert "shop.wsgi:application" == plan.start[-1]
    assert step(plan, "Gather") is not None


def test_whitenoise_that_the_source_pins_is_not_installed_twice(plan_of):
    plan = plan_of(project() | {"requirements.txt": "django\nwhitenoise==6.6\n"})
    assert ("s2i_static:application", False) == (plan.start[-1], "whitenoise" in str(step(plan, "Install the dependencies").then[0]))  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "value", "origin"),
    [
        (setting("INSTALLED_APPS", "['shop']"), "no: django.contrib.staticfiles is not in INSTALLED_APPS", "shop/settings.py:9"),
        (SETTINGS.replace("STATIC_ROOT", "OTHER"), "no: STATIC_ROOT is not set", "shop/settings.py:1"),
        (setting("STATIC_ROOT", "None"), "no: STATIC_ROOT is not set", "shop/settings.py:9"),
        (SETTINGS + "STORAGES = {'default': {'BACKEND': 'django.core.files.storage.FileSystemStorage'}, 'staticfiles':"
         " {'BACKEND': 'storages.backends.s3.S3Storage'}}\n",
         "no: storages.backends.s3.S3Storage keeps them elsewhere", "shop/settings.py:10"),
    ],
    ids=["no staticfiles", "no STATIC_ROOT", "STATIC_ROOT is None", "in a bucket"],
)  # fmt: skip
def test_collectstatic_is_left_out_and_said(plan_of, settings, value, origin):
    plan = plan_of(project(settings))
    assert (value, origin) == decided(plan, "collectstatic")
    assert None is step(plan, "Gather")


def test_only_uploads_in_a_bucket_leave_the_static_files_here(plan_of):
    storages = (
        "STORAGES = {'default': {'BACKEND': 'storages.backends.s3.S3Storage'},"
        " 'staticfiles': {'BACKEND': 'django.contrib.staticfiles.storage.StaticFilesStorage'}}\n"
    )
    assert step(plan_of(project(SETTINGS + storages)), "Gather") is not None


def test_static_files_that_nothing_will_serve_are_said(plan_of):
    files = project(SETTINGS.replace("STATIC_ROOT", "OTHER")) | {"shop/static/x.css": "p {}"}
    assert ["W_STATIC"] == codes(plan_of(files))
    finders = files | {
        "shop/settings.py": str(files["shop/settings.py"])
        + "MIDDLEWARE += ['whitenoise.middleware.WhiteNoiseMiddleware']\nWHITENOISE_USE_FINDERS = True\n"
    }
    assert [] == codes(plan_of(finders))


def test_a_static_root_in_a_branch_is_asked_for_in_the_build(plan_of):
    settings = SETTINGS.replace("STATIC_ROOT =", "if not DEBUG:\n    STATIC_ROOT =")
    plan = plan_of(project(settings))
    assert ("python", "-c") == step(plan, "Gather").then[0][:2]
    assert {"DJANGO_SETTINGS_MODULE": "shop.settings"} == collects(plan)


@pytest.mark.parametrize(("said", "ran"), [("true", True), ("false", False)])
def test_s2i_toml_decides_on_collectstatic(plan_of, said, ran):
    settings = SETTINGS if said == "false" else SETTINGS.replace("STATIC_ROOT", "OTHER")
    plan = plan_of(project(settings) | {"s2i.toml": f"collectstatic = {said}\n"})
    assert ran == (step(plan, "Gather") is not None)
    assert "s2i.toml:1" == decided(plan, "collectstatic")[1]


# Variables of the build -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ('"literal"', []),
        ('os.environ["SECRET_KEY"]', ["SECRET_KEY"]),
        ('os.environ.get("DJANGO_KEY", "x")', ["DJANGO_KEY"]),
        ('env("DJANGO_SECRET_KEY")', ["DJANGO_SECRET_KEY"]),
        ('env.str("APP_SECRET")', ["APP_SECRET"]),
        ('config("SECRET_KEY", cast=str)', ["SECRET_KEY"]),
        ("values.SecretValue()", ["DJANGO_SECRET_KEY"]),
        ("read_it()", ["DJANGO_SECRET_KEY", "SECRET_KEY"]),
    ],
)
def test_the_secret_key_is_thrown_away_under_the_name_that_is_read(plan_of, value, names):
    plan = plan_of(project(setting("SECRET_KEY", value)))
    assert dict.fromkeys(names, THROW_AWAY) == collects(plan)
    assert not any(THROW_AWAY in str(pair) for pair in plan.env)


def test_a_database_that_collectstatic_never_opens_gets_harmless_values(plan_of):
    parts = "{'default': {'ENGINE': 'django.db.backends.postgresql', 'NAME': os.environ['DB'], 'PORT': env('DB_PORT')}}"
    assert {"DB": "unused", "DB_PORT": "5432"} == collects(plan_of(project(setting("DATABASES", parts))))
    url = "import dj_database_url\n" + setting("DATABASES", "{'default': env('DATABASE_URL')}")
    assert {"DATABASE_URL": "sqlite://:memory:"} == collects(plan_of(project(url)))


def test_other_variables_get_no_value_so_that_the_step_fails_and_says_which(plan_of):
    plan = plan_of(project(SETTINGS + "BUCKET = os.environ['BUCKET']\nAWS_SECRET_KEY = os.environ['AWS_SECRET_KEY']\n"))
    assert {} == collects(plan)


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        ("X = os.environ['A']", [Read("A", 1, True)]),
        ("if X:\n    Y = os.environ['A']", [Read("A", 2, False)]),
        ("X = os.environ['A'] if Y else ''", [Read("A", 1, False)]),
        ("X = os.getenv('A')", [Read("A", 1, False)]),
        ("X = env.bool('A', default=False)", [Read("A", 1, False)]),
        ("X = env('A', bool)", [Read("A", 1, True)]),
        ("env = environ.Env(A=(bool, False))\nX = env('A')", []),
        ("X = {'default': env.db()}", [Read("DATABASE_URL", 1, True)]),
        ("def f():\n    return os.environ['A']", []),
        ("X = request.get('A')", []),
    ],
)
def test_environment_variables_are_seen_and_whether_they_are_needed(text, reads):
    assert reads == list(constants.read(ast.parse(text).body).reads)


def test_a_very_long_elif_and_a_very_long_sum_are_read_without_recursion():
    text = "if a:\n    A = 1\n" + "elif b:\n    A = 2\n" * 900
    assert 901 == len(constants.read(ast.parse(text).body).found)
    assert 1 == len(constants.read(ast.parse("A = " + "1+" * 900 + "1").body).found)


def test_a_name_of_settings_that_grows_without_end_is_not_made():
    lines = [f"x{i} = f'" + f"{{x{i + 1}}}" * 200 + "'" for i in range(9)]
    text = "\n".join([*lines, "os.environ.setdefault('DJANGO_SETTINGS_MODULE', x0)"])
    assert None is constants.settings_module(ast.parse(text).body)


# Which settings ---------------------------------------------------------------------------------------------------


def found(tree_of, files) -> django.Project:
    return django.find(code.read(tree_of(files)))


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.prod'", "shop.prod"),
        ("os.environ.setdefault('DJANGO_SETTINGS_MODULE', os.getenv('WHICH', 'shop.prod'))", "shop.prod"),
        ("os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.' + os.getenv('WHICH', 'prod'))", "shop.prod"),
        ("os.environ.setdefault('DJANGO_SETTINGS_MODULE', f\"shop.{os.environ.get('WHICH', 'prod')}\")", "shop.prod"),
        ("config('DJANGO_SETTINGS_MODULE', default='shop.prod')", "shop.prod"),
        ("m = 'shop.azure' if 'HOST' in os.environ else 'shop.prod'\nos.environ.setdefault('DJANGO_SETTINGS_MODULE', m)",
         "shop.prod"),
        ("if 'test' in sys.argv:\n    os.environ['DJANGO_SETTINGS_MODULE'] = 'shop.test_settings'\n"
         "else:\n    os.environ.setdefault('DJANGO_SETTINGS_MODULE', 'shop.prod')", "shop.prod"),
    ],
)  # fmt: skip
def test_the_settings_are_those_that_manage_py_names_when_the_environment_says_nothing(tree_of, line, name):
    files = project() | {"manage.py": f"import os\n{line}\n", "shop/prod.py": "from .settings import *\n"}
    assert name == found(tree_of, files).settings.name


def test_what_a_star_brings_holds_unless_it_is_set_again(plan_of):
    files = project("from .base import *\nSTATIC_URL = '/files/'\n", shop__base=SETTINGS)
    assert ("served by whitenoise at /files/", "shop/settings.py:2") == decided(plan_of(files), "static files")
    assert ("in the build", "shop/base.py:9") == decided(plan_of(files), "collectstatic")


def test_a_setting_that_is_imported_by_name_is_found_where_it_is_set(plan_of):
    files = project(
        SETTINGS.replace("STATIC_ROOT = ", "from .paths import STATIC_ROOT  #"), shop__paths="STATIC_ROOT = '/static'\n"
    )
    assert ("in the build", "shop/paths.py:1") == decided(plan_of(files), "collectstatic")


def test_split_settings_include_other_files(plan_of):
    first = "from split_settings.tools import include, optional\ninclude('parts/*.py', optional('local.py'))\n"
    assert ("in the build", "shop/parts/all.py:9") == decided(plan_of(project(first, shop__parts__all=SETTINGS)), "collectstatic")  # fmt: skip


def test_settings_in_classes_are_read_and_set_up_by_manage_py(plan_of):
    body = "".join(f"    {line}\n" for line in SETTINGS.splitlines())
    settings = f"from configurations import Configuration\nclass Live(Configuration):\n{body}"
    plan = plan_of(project(settings))
    assert ("python", "manage.py", "collectstatic", "--noinput") == step(plan, "Gather").then[0]
    assert "s2i_static:application" == plan.start[-1]


def test_static_files_are_gathered_with_the_settings_that_are_served(plan_of):
    files = project("from .base import *\n", shop__base=SETTINGS, shop__live="from .base import *\n")
    plan = plan_of(files | {"shop/wsgi.py": WSGI.replace("shop.settings", "shop.live")})
    assert ("shop.live", "shop/wsgi.py:3") == decided(plan, "settings")
    assert {"DJANGO_SETTINGS_MODULE": "shop.live"} == collects(plan)


def test_an_application_that_names_no_settings_is_given_them(plan_of):
    plan = plan_of(project(shop__wsgi=WSGI.replace(MANAGE, "")))
    assert ("DJANGO_SETTINGS_MODULE", "shop.settings") in plan.env
    assert ("shop.settings", "manage.py:2") == decided(plan, "settings")


@pytest.mark.parametrize(
    ("files", "name"),
    [
        ({"base": SETTINGS, "production": "from .base import *\n", "local": "from .base import *\n"}, "production"),
        ({"base": SETTINGS, "production": "from .base import *\nX = os.environ['BUCKET']\n"}, "base"),
        ({"base": SETTINGS, "local": "from .base import *\n"}, "base"),
        ({"common": SETTINGS, "staging": "from .common import *\n", "prod": "from .common import *\n"}, "prod"),
    ],
)
def test_settings_that_nobody_names_are_those_of_production_when_they_can_be_imported(tree_of, files, name):
    tree = {"shop/__init__.py": "", "shop/conf/__init__.py": ""}
    tree |= {f"shop/conf/{module}.py": text for module, text in files.items()}
    assert f"shop.conf.{name}" == found(tree_of, tree).settings.name


def test_a_name_that_no_module_can_have_is_refused(plan_of):
    with pytest.raises(S2IError) as refused:
        plan_of(project() | {"manage.py": MANAGE.replace("shop.settings", "shop settings")})
    assert (E_ENTRYPOINT, "manage.py:2") == (refused.value.kind, refused.value.where)


# manage.py elsewhere ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", ["site", "src", "backend/web"])
def test_manage_py_below_the_root_says_where_modules_are_imported_from(plan_of, folder):
    below = {name if name == "requirements.txt" else f"{folder}/{name}": text for name, text in project().items()}
    plan = plan_of(below)
    assert ("shop.wsgi:application", "s2i_static:application") == (plan.entry, plan.start[-1])
    assert ("PYTHONPATH", f"/app/{folder}") in plan.env
    argv = step(plan, "Gather").then[0]
    if folder == "src":
        assert ("python", "src/manage.py", "collectstatic", "--noinput") == argv
    else:  # where the program starts as well: a relative STATIC_ROOT is the same folder in both
        assert ("env", f"--chdir=/app/{folder}", "python", "manage.py", "collectstatic", "--noinput") == argv
        assert f"/app/{folder}" == plan.workdir


def test_a_site_under_src_runs_from_there_though_it_could_be_installed(plan_of):
    build = (
        "[project]\nname = 'shop'\nversion = '1'\ndependencies = ['django']\n[build-system]\nrequires = ['hatchling']\n"
    )
    files = {f"src/{name}": text for name, text in project().items() if name != "requirements.txt"}
    plan = plan_of(files | {"pyproject.toml": build})
    assert ("PYTHONPATH", "/app/src") in plan.env
    assert None is step(plan, "Install the project itself")


def test_two_projects_side_by_side_are_listed(plan_of):
    files = {f"{folder}/{name}".replace("shop/", f"{folder}s/"): str(text).replace("shop", f"{folder}s")
             for folder in ("cat", "dog") for name, text in project().items() if name != "shop/asgi.py"}  # fmt: skip
    with pytest.raises(S2IError) as refused:
        plan_of(files)
    assert E_AMBIGUOUS is refused.value.kind
    plan = plan_of(files | {"s2i.toml": 'entry = "dogs.wsgi:application"\n'})
    assert ("--chdir=/app/dog", "python", "manage.py") == step(plan, "Gather").then[0][1:4]
    assert ("PYTHONPATH", "/app/dog") in plan.env


def test_without_manage_py_django_gathers_itself(plan_of):
    files = {name: text for name, text in project().items() if name != "manage.py"}
    plan = plan_of(files)
    assert ("python", "-m", "django", "collectstatic", "--noinput") == step(plan, "Gather").then[0]
    assert {"DJANGO_SETTINGS_MODULE": "shop.settings"} == collects(plan)


# The application --------------------------------------------------------------------------------------------------

ROUTER = "from channels.routing import ProtocolTypeRouter\n" + MANAGE + "application = ProtocolTypeRouter({})\n"
BOTH = SETTINGS + "ASGI_APPLICATION = 'shop.asgi.application'\n"


@pytest.mark.parametrize(
    ("files", "entry"),
    [
        (project(BOTH), "shop.wsgi:application"),
        (project(BOTH + "INSTALLED_APPS += ['daphne']\n"), "shop.asgi:application"),
        (project(shop__asgi=ROUTER), "shop.asgi:application"),
        (project(shop__views="async def page(request):\n    pass\n"), "shop.asgi:application"),
        (project(shop__views="async def work(item):\n    pass\n"), "shop.wsgi:application"),
        (project(SETTINGS.replace("WSGI_", "ASGI_").replace("shop.wsgi", "shop.asgi")), "shop.asgi:application"),
    ],
    ids=["unused", "daphne", "a router", "async views", "async helpers", "only ASGI is set"],
)
def test_asgi_is_taken_when_async_is_used(plan_of, files, entry):
    plan = plan_of(files)
    assert (entry.split(".")[1][:4], entry) == (plan.kind, plan.entry)


def test_channels_2_is_served_by_the_file_that_sets_django_up_and_its_age_is_said(plan_of):
    asgi = (
        "from channels.routing import get_default_application\n" + MANAGE + "application = get_default_application()\n"
    )
    settings = SETTINGS + "INSTALLED_APPS += ['channels']\nASGI_APPLICATION = 'shop.routing.application'\n"
    plan = plan_of(project(settings, shop__asgi=asgi, shop__routing=ROUTER.replace(MANAGE, "")))
    assert ("asgi", "shop.asgi:application") == (plan.kind, plan.entry)
    assert ["W_CHANNELS"] == codes(plan)


def test_an_application_that_the_settings_name_is_believed_when_it_is_wrapped_in_something_unknown(plan_of):
    plan = plan_of(project(shop__wsgi=WSGI.replace("= get_wsgi_application()", "= Traced(get_wsgi_application())")))
    assert ("shop.wsgi:application", "wsgi") == (plan.entry, plan.kind)


def test_an_application_that_the_settings_name_in_vain_is_overruled_and_said(plan_of):
    plan = plan_of(project(SETTINGS.replace("shop.wsgi.", "old.wsgi.")))
    assert "shop.wsgi:application" == plan.entry
    assert [("W_DJANGO_ENTRY", "shop/settings.py:4")] == [(w.code, w.where) for w in plan.warnings]


# The database -----------------------------------------------------------------------------------------------------


def test_an_sqlite_file_gets_its_tables_in_the_build_and_cannot_be_written(plan_of):
    plan = plan_of(project(SETTINGS.replace("DATABASES = {}\n", SQLITE)))
    assert "manage.py" == step(plan, "Make the tables").then[0][-1]
    assert ["W_SQLITE"] == codes(plan)


@pytest.mark.parametrize("name", ["'/data/db.sqlite3'", "':memory:'"])
def test_an_sqlite_database_outside_the_image_gets_no_tables(plan_of, name):
    plan = plan_of(project(SETTINGS.replace("DATABASES = {}\n", SQLITE.replace("BASE_DIR / 'db'", name))))
    assert None is step(plan, "Make the tables")


def test_migrations_are_a_command_of_their_own_and_said(plan_of, tree_of):
    files = project(setting("DATABASES", "{'default': dj_database_url.config()}"))
    assert ["W_MIGRATIONS"] == codes(plan_of(files))
    assert ("python", "manage.py", "migrate", "--noinput") == database.migrations(found(tree_of, files))
    assert not any("migrate" in str(getattr(s, "argv", "")) for s in plan_of(files).steps)


def test_without_a_database_nobody_speaks_of_migrations(tree_of):
    nothing = "{'default': {'ENGINE': '', 'NAME': os.path.join(BASE_DIR, 'db')}}"
    assert None is database.migrations(found(tree_of, project()))
    assert None is database.migrations(found(tree_of, project(setting("DATABASES", nothing))))


# Hosts ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hosts", "debug", "said"),
    [
        ('["*"]', "False", None),
        ('[".localhost", "127.0.0.1"]', "False", None),
        ("[]", "True", None),
        ("[]", "os.getenv('DEBUG') == '1'", None),
        ("[]", "False", 'add them, or ".localhost" for the addresses that s2i gives'),
        ('["example.com"]', "True", 'add them, or ".localhost" for the addresses that s2i gives'),
        ('os.getenv("HOSTS", "localhost,127.0.0.1").split(",")', "True", "set HOSTS"),
        ('os.getenv("HOSTS", "*").split(",")', "False", None),
        ("hosts()", "False", None),
    ],
)
def test_hosts_that_will_be_refused_are_said(plan_of, hosts, debug, said):
    plan = plan_of(project(setting("ALLOWED_HOSTS", hosts) + f"DEBUG = {debug}\n"))
    told = [w.message.rpartition("400: ")[2] for w in plan.warnings if w.code == "W_ALLOWED_HOSTS"]
    assert ([said] if said else []) == told
