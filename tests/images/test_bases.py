"""Which base images are offered, where packages come from, and the call that makes images of them."""

from pathlib import Path
from typing import Any

import pytest

from s2i import dirs, shell
from s2i.errors import S2IError
from s2i.images import bases
from s2i.images.bases import debian, mirror, obtain, offer, table
from s2i.images.bases.mirror import Mirror


class Engine:
    """As much of a Docker client as ``refresh`` needs: a list of images."""

    def __init__(self, *names: str, recipe: str = table.RECIPE) -> None:
        self.api = self
        self.listed = [{"RepoTags": [name], "Labels": {table.RECIPE_LABEL: recipe}} for name in names]

    def images(self) -> list[dict[str, Any]]:
        return self.listed


MADE = ("s2i.local/python:3.11", "s2i.local/python-build:3.11")


def pythons() -> list[str]:
    return [base.python for base in bases.offered()]


def test_before_an_engine_was_asked_the_official_images_are_offered() -> None:
    assert pythons() == ["3.9", "3.10", "3.11", "3.12", "3.13", "3.14"]
    assert {base.runtime for base in bases.offered()} == {f"python:{python}-slim" for python in pythons()}


def test_with_images_made_here_and_no_registry_only_these_are_offered() -> None:
    bases.refresh(Engine(*MADE), registry=False)
    assert bases.offered() == (table.local("3.11"),)


def test_with_a_registry_images_made_here_come_first_and_the_rest_is_offered_too() -> None:
    bases.refresh(Engine(*MADE), registry=True)
    assert {base.python: base.runtime for base in bases.offered()} == {
        "3.9": "python:3.9-slim",
        "3.10": "python:3.10-slim",
        "3.11": "s2i.local/python:3.11",
        "3.12": "python:3.12-slim",
        "3.13": "python:3.13-slim",
        "3.14": "python:3.14-slim",
    }


def test_what_a_registry_once_said_holds_until_it_is_tried_again() -> None:
    bases.refresh(Engine(*MADE), registry=True)
    bases.refresh(Engine(*MADE))
    assert len(pythons()) == 6
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
    row = table.row("3.13")
    assert row is not None
    options = ("--variant=extract",)
    assert debian.command(row, "runtime", options, Path("/scratch/root.tar"), ('Acquire::Check-Date "false";',)) == (
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


def test_only_settings_of_apt_that_are_set_are_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {
        "Acquire::http::Proxy": b'Acquire::http::Proxy "http://proxy.example:3128";\n',
        "Acquire::https::Proxy": b'Acquire::https::Proxy "";\n',
        "Acquire::Check-Date": b"",
        "Acquire::Check-Valid-Until": b'Acquire::Check-Valid-Until "false";\n',
    }
    monkeypatch.setattr(debian.shell, "run", lambda argv, timeout: shell.Completed(0, said[argv[-1]], b""))
    assert debian._apt_settings() == (
        'Acquire::http::Proxy "http://proxy.example:3128";',
        'Acquire::Check-Valid-Until "false";',
    )


def test_what_mmdebstrap_says_is_in_the_error(monkeypatch: pytest.MonkeyPatch) -> None:
    said = b"I: running apt-get update...\nE: Release file is expired\nE: mmdebstrap failed to run\n"
    monkeypatch.setattr(debian, "_apt_settings", tuple)
    monkeypatch.setattr(debian.shell, "run", lambda argv, **rest: shell.Completed(25, b"", said))
    row = table.row("3.13")
    assert row is not None
    with pytest.raises(S2IError) as caught:
        debian.runtime_base(row, Engine())  # type: ignore[arg-type]
    assert caught.value.message == (
        "there is no base image with Python 3.13, and none can be had: \n"
        "  mmdebstrap failed:\n  E: Release file is expired\n  E: mmdebstrap failed to run"
    )


@pytest.mark.parametrize(
    ("python", "why"),
    [
        ("3.12", "no registry answers, and no Debian release carries this Python"),
        ("2.7", "s2i knows 3.9, 3.10, 3.11, 3.12, 3.13, 3.14"),
    ],
)
def test_a_python_that_cannot_be_made_is_refused_with_the_reason(python: str, why: str) -> None:
    with pytest.raises(S2IError) as caught:
        obtain._makeable(python)
    assert (caught.value.code, caught.value.exit) == ("E_BASE", 6)
    assert caught.value.message == f"there is no base image with Python {python}, and none can be had: {why}"


class Steps:
    """Records what ``ensure`` does, with a registry that answers or not."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, registry: bool, pulls: bool = True) -> None:
        self.done: list[str] = []
        monkeypatch.setattr(obtain, "registry_answers", lambda: self._did("ask the registry", registry))
        monkeypatch.setattr(obtain, "_pulled", lambda python, say: self._did(f"pull {python}", pulls))
        monkeypatch.setattr(obtain, "_make", lambda pythons, say: self._did(f"make {' '.join(pythons)}", True))

    def _did(self, step: str, answer: bool) -> bool:
        self.done.append(step)
        return answer

    def ensure(self, *images: str) -> list[str]:
        obtain.ensure(("3.13", "3.11"), lambda line: None, Engine(*images))  # type: ignore[arg-type]
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
