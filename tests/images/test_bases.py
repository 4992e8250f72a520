"""Which base images are offered, where packages come from, and the call that makes images of them."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from s2i import dirs, shell
from s2i.engines.docker import connection
from s2i.errors import S2IError
from s2i.images import bases
from s2i.images.bases import debian, machine, mirror, obtain, offer, table
from s2i.images.bases.machine import Machine, Way
from s2i.images.bases.mirror import Mirror

ALL = ["3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
TRIXIE = Way("3.13", "trixie", ("tzdata-legacy",))
PYENV = "/home/me/.pyenv/versions/3.8.18"
DEBIAN = Machine(makes=True, suite="bookworm", installed=(("3.8", PYENV), ("3.11", "/elsewhere/3.11.7")))


@pytest.fixture(autouse=True)
def here(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make this a machine that can make nothing: what the real one can must not decide a test."""
    monkeypatch.setattr(machine, "look", Machine)


class Engine:
    """As much of an engine as ``refresh`` needs: a list of images, of which it tells those that are asked for."""

    def __init__(self, *names: str, recipe: str = table.RECIPE) -> None:
        self.listed = [{"RepoTags": [name], "Labels": {table.RECIPE_LABEL: recipe}} for name in names]

    def get(self, path: str, query: dict[str, str]) -> list[dict[str, Any]]:
        assert path == "/images/json"
        self.asked = json.loads(query["filters"])["reference"]
        return [image for image in self.listed if not image["RepoTags"] or image["RepoTags"][0] in self.asked]


MADE = ("s2i.local/python:3.11", "s2i.local/python-build:3.11")


def pythons() -> list[str]:
    return [base.python for base in bases.offered()]


def test_before_an_engine_was_asked_the_official_images_are_offered() -> None:
    assert pythons() == ALL
    assert [(base.runtime, base.obtain) for base in bases.offered()] == [(f"python:{p}-slim", "pull") for p in ALL]


def test_the_engine_is_asked_for_base_images_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BASE_REGISTRY", "[::1]:5000/*")
    engine = Engine(*MADE)
    bases.refresh(engine)
    assert engine.asked == [
        name
        for python in ALL
        for name in (
            f"s2i.local/python:{python}",
            f"s2i.local/python-build:{python}",
            rf"\[::1]:5000/\*/python:{python}-slim",
        )
    ]


def test_with_images_made_here_and_no_registry_only_these_are_offered() -> None:
    bases.refresh(Engine(*MADE), registry=False)
    assert bases.offered() == (table.local("3.11"),)


def test_with_a_registry_images_made_here_come_first_and_the_rest_is_offered_too() -> None:
    bases.refresh(Engine(*MADE), registry=True)
    assert {base.python: (base.runtime, base.obtain) for base in bases.offered()} == {
        **{python: (f"python:{python}-slim", "pull") for python in ALL},
        "3.11": ("s2i.local/python:3.11", "here"),
    }


def test_without_a_registry_what_this_machine_can_make_is_offered_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "look", lambda: DEBIAN)
    bases.refresh(Engine(*MADE), registry=False)
    assert [(base.python, base.interpreter, base.obtain) for base in bases.offered()] == [
        ("3.8", "/usr/local/bin/python3", "make"),
        ("3.9", "/usr/bin/python3", "make"),
        ("3.11", "/usr/bin/python3", "here"),
        ("3.13", "/usr/bin/python3", "make"),
        ("3.14", "/usr/bin/python3", "make"),
    ]


def test_a_base_that_was_made_from_an_installation_is_known_by_its_recipe() -> None:
    names = ("s2i.local/python:3.8", "s2i.local/python-build:3.8")
    bases.refresh(Engine(*names, recipe=table.RECIPE_INSTALLED), registry=False)
    assert bases.offered() == (table.local("3.8", "/usr/local/bin/python3"),)


def test_an_official_image_that_is_here_need_not_be_pulled() -> None:
    bases.refresh(Engine("python:3.12-slim"), registry=True)
    assert {base.python for base in bases.offered() if base.obtain == "here"} == {"3.12"}


def test_what_a_registry_once_said_holds_until_it_is_tried_again() -> None:
    bases.refresh(Engine(*MADE), registry=True)
    bases.refresh(Engine(*MADE))
    assert pythons() == ALL
    bases.refresh(Engine(*MADE), registry=False)
    assert pythons() == ["3.11"]


def test_half_a_pair_of_images_is_no_base() -> None:
    bases.refresh(Engine("s2i.local/python:3.11"), registry=False)
    assert bases.offered() == ()


def test_images_of_an_older_recipe_are_not_offered() -> None:
    bases.refresh(Engine(*MADE, recipe="0"), registry=False)
    assert bases.offered() == ()


def test_an_image_without_tags_or_labels_is_passed_over() -> None:
    engine = Engine()
    engine.listed = [{"RepoTags": None, "Labels": None}, {"RepoTags": ["python:3.12-slim"], "Labels": None}]
    bases.refresh(engine, registry=False)
    assert pythons() == ["3.12"]


def test_a_damaged_cache_counts_as_none() -> None:
    dirs.cache().mkdir(parents=True)
    (dirs.cache() / "bases.json").write_text('{"bases": [{"python"')
    assert offer.recall() == offer.Known()


def test_a_mirror_of_the_registry_is_put_before_the_images(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_BASE_REGISTRY", "mirror.example/hub/")
    assert bases.offered()[-1].build == "mirror.example/hub/python:3.14-slim"


def test_the_pythons_made_by_default_have_a_debian_release() -> None:
    assert bases.defaults() == ("3.13", "3.11")
    assert [row.suite for row in table.rows() if row.default] == ["bookworm", "trixie"]


def test_the_mirror_is_the_one_of_this_machines_apt(tmp_path: Path) -> None:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text("# deb http://old.example/debian bullseye main\n")
    (tmp_path / "sources.list.d" / "vendor.list").write_text("deb https://vendor.example/apt stable main\n")
    (tmp_path / "sources.list.d" / "debian.sources").write_text(
        "Types: deb\nURIs: https://mirror.example/debian/\nSuites: bookworm\nComponents: main\n\n"
        "Types: deb\nURIs: https://mirror.example/debian-security\nSuites: bookworm-security\n"
    )
    assert mirror.find(tmp_path) == Mirror("https://mirror.example/debian", "https://mirror.example/debian-security")


def test_a_one_line_source_with_options_is_read(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb [arch=amd64 signed-by=/k.gpg] http://m.example/debian trixie main\n")
    assert mirror.find(tmp_path).archive == "http://m.example/debian"


def test_an_ubuntu_takes_debians_own_mirror(tmp_path: Path) -> None:
    (tmp_path / "sources.list").write_text("deb http://archive.ubuntu.com/ubuntu noble main\n")
    assert mirror.find(tmp_path) == Mirror("http://deb.debian.org/debian", "http://deb.debian.org/debian-security")


def test_a_mirror_that_is_set_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S2I_DEBIAN_MIRROR", "http://10.0.0.5/debian/")
    assert mirror.find(tmp_path) == Mirror("http://10.0.0.5/debian", "http://10.0.0.5/debian-security")


def test_the_sources_of_a_release_carry_its_security_updates() -> None:
    key = "[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]"
    assert Mirror().lines("trixie") == (
        f"deb {key} http://deb.debian.org/debian trixie main",
        f"deb {key} http://deb.debian.org/debian trixie-updates main",
        f"deb {key} http://deb.debian.org/debian-security trixie-security main",
    )


def test_the_call_that_makes_a_runtime_base() -> None:
    options = ("--variant=extract",)
    assert debian.command(TRIXIE, "runtime", options, Path("/scratch/root.tar"), ('Acquire::Check-Date "false";',)) == (
        "unshare",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
        "mmdebstrap",
        "--variant=extract",
        '--aptopt=Acquire::Check-Date "false";',
        "--dpkgopt=path-exclude=/usr/share/info/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/lib/*/gconv/*",
        "--dpkgopt=path-exclude=/usr/lib/*/perl-base/*",
        "--include=base-files,ca-certificates,coreutils,dash,libc-bin,libgomp1,libstdc++6,media-types,netbase,python3,"
        "tzdata,tzdata-legacy",
        "trixie",
        "/scratch/root.tar",
        "-",
    )


def test_an_installed_python_takes_the_place_of_debians_in_that_call() -> None:
    way = Way("3.8", "bookworm", (), PYENV)
    call = debian.command(way, "runtime", (), Path("/scratch/root.tar"), (), ("libc6", "libssl3"))
    assert call[-4:] == (
        "--include=base-files,ca-certificates,coreutils,dash,libc-bin,libgomp1,libstdc++6,media-types,netbase,tzdata,"
        "libc6,libssl3",
        "bookworm",
        "/scratch/root.tar",
        "-",
    )


def test_only_settings_of_apt_that_are_set_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "Acquire::http::Proxy": b'Acquire::http::Proxy "http://proxy.example:3128";\n',
        "Acquire::https::Proxy": b'Acquire::https::Proxy "";\n',
        "Acquire::Check-Date": b"",
        "Acquire::Check-Valid-Until": b'Acquire::Check-Valid-Until "false";\n',
    }
    monkeypatch.setattr(debian.shell, "run", lambda argv, timeout: shell.Completed(0, said[argv[-1]], b""))
    assert debian.apt_settings() == (
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
    )


def test_mmdebstrap_is_run_by_the_systems_own_python_wherever_the_source_is(monkeypatch: pytest.MonkeyPatch) -> None:
    inherited = {
        "HOME": "/root",
        "PATH": "/home/me/.pyenv/shims:/usr/bin",
        "PYTHONPATH": "/x",
        "PYENV_VERSION": "3.8.18",
    }
    assert debian.environment(inherited) == {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin"}
    monkeypatch.setattr(debian, "apt_settings", tuple)
    seen: dict[str, Any] = {}

    def run(argv: tuple[str, ...], **options: Any) -> shell.Completed:
        seen.update(options)
        return shell.Completed(1, b"", b"E: no\n")

    monkeypatch.setattr(debian.shell, "run", run)
    with pytest.raises(S2IError):
        debian.runtime_base(TRIXIE, Engine())  # type: ignore[arg-type]
    assert str(seen["cwd"]) == seen["env"]["TMPDIR"]


def test_what_mmdebstrap_says_is_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"I: running apt-get update...\nE: Release file is expired\nE: mmdebstrap failed to run\n"
    monkeypatch.setattr(debian, "apt_settings", tuple)
    monkeypatch.setattr(debian.shell, "run", lambda argv, **rest: shell.Completed(25, b"", said))
    with pytest.raises(S2IError) as caught:
        debian.runtime_base(TRIXIE, Engine())  # type: ignore[arg-type]
    assert caught.value.message == (
        "there is no base image with Python 3.13, and none can be had: \n"
        "  mmdebstrap failed:\n  E: Release file is expired\n  E: mmdebstrap failed to run"
    )


@pytest.mark.parametrize(
    ("python", "here", "why"),
    [
        ("3.12", DEBIAN, "no registry answers, no Debian release carries this Python, and pyenv has none here"),
        ("3.13", Machine(), "no registry answers, and to make one takes root on Debian or Ubuntu"),
        ("2.7", DEBIAN, f"s2i knows {', '.join(ALL)}"),
    ],
)
def test_a_python_that_cannot_be_made_is_refused_with_the_reason(
    python: str, here: Machine, why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "look", lambda: here)
    with pytest.raises(S2IError) as caught:
        obtain._way(python)
    assert (caught.value.code, caught.value.exit) == ("E_BASE", 6)
    assert caught.value.message == f"there is no base image with Python {python}, and none can be had: {why}"


class Steps:
    """Records what ``ensure`` does, with a registry that answers or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, registry: bool, pulls: bool = True) -> None:
        self.done: list[str] = []
        self._patch = monkeypatch
        monkeypatch.setattr(obtain, "registry_answers", lambda: self._did("ask the registry", registry))
        monkeypatch.setattr(obtain, "_pulled", lambda python, say: self._did(f"pull {python}", pulls))
        monkeypatch.setattr(
            obtain, "_make", lambda pythons, say, cancelled: self._did(f"make {' '.join(pythons)}", True)
        )

    def _did(self, step: str, answer: bool) -> bool:
        self.done.append(step)
        return answer

    def ensure(self, *images: str) -> list[str]:
        self._patch.setattr(connection, "wire", lambda: Engine(*images))
        obtain.ensure(("3.13", "3.11"), lambda line: None)
        return self.done


def test_nothing_is_done_when_the_base_images_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    there = ("s2i.local/python:3.13", "s2i.local/python-build:3.13", *MADE)
    assert Steps(monkeypatch, registry=True).ensure(*there) == []


def test_what_is_missing_is_pulled_when_a_registry_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Steps(monkeypatch, registry=True).ensure(*MADE) == ["ask the registry", "pull 3.13"]


def test_what_is_missing_is_made_when_no_registry_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Steps(monkeypatch, registry=False).ensure() == ["ask the registry", "make 3.13 3.11"]


def test_what_cannot_be_pulled_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = Steps(monkeypatch, registry=True, pulls=False)
    assert steps.ensure() == ["ask the registry", "pull 3.13", "pull 3.11", "make 3.13 3.11"]


class Pair:
    """An engine in which ``make`` puts images, and the making of them: ``fails`` at the build base with that error."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, fails: BaseException | None = None) -> None:
        self.names: list[str] = []
        self.fails = fails
        self.api = self.images = self
        self.attrs = {"Size": 61_000_000}
        monkeypatch.setattr(connection, "client", lambda timeout=None: self)
        monkeypatch.setattr(connection, "wire", lambda: self)
        monkeypatch.setattr(obtain, "_tools", lambda python, say: None)
        monkeypatch.setattr(machine, "look", lambda: DEBIAN)
        monkeypatch.setattr(
            debian, "runtime_base", lambda way, client, cancelled: self._put(table.local(way.python).runtime)
        )
        monkeypatch.setattr(debian, "build_base", self._build)
        monkeypatch.setattr(offer, "_names", lambda client: dict.fromkeys(self.names, table.RECIPE))

    def _build(self, way: Way, client: object, cancelled: object) -> str:
        if self.fails:
            raise self.fails
        return self._put(table.local(way.python).build)

    def _put(self, name: str) -> str:
        self.names.append(name)
        return name

    def get(self, name: str) -> Any:
        return self

    def remove_image(self, name: str) -> None:
        self.names = [other for other in self.names if other != name]


def test_making_a_base_says_each_image_and_from_what(monkeypatch: pytest.MonkeyPatch) -> None:
    Pair(monkeypatch)
    said: list[str] = []
    assert obtain.make("3.14", said.append) == table.local("3.14")
    assert said == [
        "making s2i.local/python:3.14 from Debian forky's packages",
        "made s2i.local/python:3.14: 61 MB, 0 s",
        "making s2i.local/python-build:3.14 from Debian forky's packages",
        "made s2i.local/python-build:3.14: 61 MB, 0 s",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), shell.Cancelled("mmdebstrap"), MemoryError()])
def test_a_pair_that_is_not_finished_leaves_no_half(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(monkeypatch, error)
    with pytest.raises(type(error)):
        obtain.make("3.14")
    assert pair.names == []


def test_a_base_that_somebody_else_made_meanwhile_is_not_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(monkeypatch, AssertionError("made twice"))
    pair.names = ["s2i.local/python:3.14", "s2i.local/python-build:3.14"]
    assert obtain.make("3.14") == table.local("3.14")


def test_two_that_need_the_same_base_make_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    pair, said = Pair(monkeypatch), []
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda _: obtain.make("3.14", said.append), range(2)))
    assert sorted(pair.names) == ["s2i.local/python-build:3.14", "s2i.local/python:3.14"]
    assert len([line for line in said if line.startswith("made ")]) == 2


def test_who_waits_for_a_base_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    Pair(monkeypatch)
    cancelled, said = threading.Event(), []

    def say(line: str) -> None:
        said.append(line)
        cancelled.set()

    with obtain._alone("3.14", print, None), pytest.raises(shell.Cancelled):
        obtain.make("3.14", say, cancelled)
    assert said == ["waiting: the base images of Python 3.14 are being made already"]


def test_the_build_base_of_an_installed_python_has_debians_own_made_first(monkeypatch: pytest.MonkeyPatch) -> None:
    pair = Pair(monkeypatch)
    obtain._make(["3.8"], lambda line: None, None)
    assert pair.names == [
        "s2i.local/python:3.11", "s2i.local/python-build:3.11", "s2i.local/python:3.8", "s2i.local/python-build:3.8",
    ]  # fmt: skip
