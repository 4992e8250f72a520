"""What is remembered of a build: when it gives the same image, when it says that little is to be done."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

from s2i import dirs, sources
from s2i.engines.docker import connection
from s2i.images import again
from s2i.images.bases import machine
from s2i.images.bases.machine import Machine
from s2i.images.events import Image, StepResult
from s2i.images.request import BuildRequest
from s2i.planning.plan import Base, BuildPlan, Copy, Mount, Run
from s2i.resources.secret import Secret
from s2i.sources import Tree
from s2i.wire import Refused

REQUEST = BuildRequest(title="shop", tags=("shop:latest",))
IMAGE = Image("sha256:image", "sha256:image", 70_000_000, ("shop:latest",), (StepResult("Install", False, 2.0),), 3.0)
BASES = {"base:1": "sha256:base"}
INSTALL = Run("build", "Install", ("uv", "pip", "install"), mounts=(Mount("secret", "/ca", id="ca"),))
PLAN = BuildPlan(
    buildpack="python", kind="wsgi", framework="flask", manager="requirements.txt", python="3.13", entry="app:app",
    start=("gunicorn", "app:app"), base=Base("3.13", "b:1", "base:1"),
    steps=(
        Copy("build", "What to install", ("requirements.txt",), "/app/"), INSTALL,
        Copy("runtime", "The environment", ("/opt/venv",), "/opt/venv", from_stage="build"),
        Copy("runtime", "The source", (".",), "/app/"),
    ),
)  # fmt: skip


class Engine:
    """An engine that has some images by name and gives names to them."""

    def __init__(self) -> None:
        self.images = {**BASES, "sha256:image": "sha256:image"}
        self.named: list[Any] = []

    def get(self, path: str) -> Any:
        name = path.removeprefix("/images/").removesuffix("/json")
        if name not in self.images:
            raise Refused(404, b"")
        return {"Id": self.images[name], "RepoTags": ["shop:latest"] if name == "sha256:image" else None}

    def post(self, path: str, query: Any) -> None:
        self.named.append((path, query))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Engine:
    made = Engine()
    monkeypatch.setattr(connection, "wire", lambda: made)
    monkeypatch.setattr(machine, "look", Machine)
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Callable[[], Tree]:
    """Return what reads a small source anew."""
    folder = tmp_path / "shop"
    folder.mkdir()
    (folder / "app.py").write_text("app = 1\n")
    (folder / "requirements.txt").write_text("flask\n")

    def read() -> Tree:
        with sources.fetch(sources.parse(str(folder)), policy=sources.Policy.of({})) as found:
            return found

    return read


def keep(tree: Tree, plan: BuildPlan = PLAN, request: BuildRequest = REQUEST) -> None:
    again.remember(tree, plan, request, IMAGE, BASES, "FROM base:1\n", again.key(tree, request))


def test_an_unchanged_source_gives_the_image_that_is_there_and_the_names_that_are_wanted(
    engine: Engine, tree: Callable[[], Tree]
) -> None:
    keep(tree())
    other = msgspec.structs.replace(REQUEST, tags=("host:5000/shop:2",), timeout=5)
    made = again.recall(tree(), other)
    assert made is not None
    assert made.plan == PLAN
    image = again.give(made, other)
    assert image == msgspec.structs.replace(
        IMAGE, tags=("host:5000/shop:2",), steps=(StepResult("Install", True, 0.0),), seconds=0.0
    )
    assert engine.named == [("/images/sha256:image/tag", {"repo": "host:5000/shop", "tag": "2"})]


def test_a_name_that_the_image_has_is_not_given_again(engine: Engine, tree: Callable[[], Tree]) -> None:
    keep(tree())
    wanted = msgspec.structs.replace(REQUEST, tags=("shop:latest", "shop:2"))
    made = again.recall(tree(), wanted)
    assert made is not None
    assert again.give(made, wanted).tags == ("shop:latest", "shop:2")
    assert engine.named == [("/images/sha256:image/tag", {"repo": "shop", "tag": "2"})]


def change_a_line(tree: Tree, engine: Engine) -> BuildRequest:
    (tree.anchor / "app.py").write_text("app = 2\n")
    return REQUEST


def add_a_file(tree: Tree, engine: Engine) -> BuildRequest:
    (tree.anchor / "new.py").write_text("")
    return REQUEST


def make_it_executable(tree: Tree, engine: Engine) -> BuildRequest:
    (tree.anchor / "app.py").chmod(0o755)
    return REQUEST


def remove_the_image(tree: Tree, engine: Engine) -> BuildRequest:
    del engine.images["sha256:image"]
    return REQUEST


def renew_the_base(tree: Tree, engine: Engine) -> BuildRequest:
    engine.images["base:1"] = "sha256:newer"
    return REQUEST


def ask_for_no_cache(tree: Tree, engine: Engine) -> BuildRequest:
    return msgspec.structs.replace(REQUEST, cache=False)


def give_a_secret(tree: Tree, engine: Engine) -> BuildRequest:
    return msgspec.structs.replace(REQUEST, secrets=(Secret("token", b"s3cretcanary"),))


def want_other_labels(tree: Tree, engine: Engine) -> BuildRequest:
    return msgspec.structs.replace(REQUEST, labels=(("team", "a"),))


def ask_from_another_project(tree: Tree, engine: Engine) -> BuildRequest:
    return msgspec.structs.replace(REQUEST, namespace="other")


@pytest.mark.parametrize(
    "change",
    [
        change_a_line, add_a_file, make_it_executable, remove_the_image, renew_the_base, ask_for_no_cache,
        give_a_secret, want_other_labels, ask_from_another_project,
    ],
)  # fmt: skip
def test_a_change_of_anything_that_counts_is_built(
    change: Callable[[Tree, Engine], BuildRequest], engine: Engine, tree: Callable[[], Tree]
) -> None:
    keep(tree())
    request = change(tree(), engine)
    assert again.recall(tree(), request) is None


def test_a_damaged_memory_is_no_memory(engine: Engine, tree: Callable[[], Tree]) -> None:
    keep(tree())
    (file,) = (dirs.cache() / "made").iterdir()
    file.write_bytes(b"{")
    assert again.recall(tree(), REQUEST) is None


def test_after_a_changed_line_the_layers_below_the_source_are_there(engine: Engine, tree: Callable[[], Tree]) -> None:
    keep(tree())
    change_a_line(tree(), engine)
    assert again.recipe(tree(), PLAN, REQUEST) == "FROM base:1\n"


def test_after_a_changed_requirement_they_are_not(engine: Engine, tree: Callable[[], Tree]) -> None:
    keep(tree())
    (tree().anchor / "requirements.txt").write_text("flask\nhttpx\n")
    assert again.recipe(tree(), PLAN, REQUEST) == ""


def test_a_plan_with_other_steps_is_another_dockerfile(engine: Engine, tree: Callable[[], Tree]) -> None:
    keep(tree())
    plan = msgspec.structs.replace(PLAN, start=("python", "app.py"))
    assert again.recipe(tree(), plan, REQUEST) == ""


@pytest.mark.parametrize(
    "steps",
    [
        (Copy("build", "All of it", (".",), "/app/"), INSTALL, Copy("runtime", "The source", (".",), "/app/")),
        (Copy("runtime", "The source", (".",), "/app/"), msgspec.structs.replace(INSTALL, stage="runtime")),
        (INSTALL,),
    ],
)
def test_what_is_installed_from_all_of_the_source_is_never_sure_to_be_there(
    steps: Any, engine: Engine, tree: Callable[[], Tree]
) -> None:
    plan = msgspec.structs.replace(PLAN, steps=steps)
    keep(tree(), plan)
    assert again.recipe(tree(), plan, REQUEST) == ""


def test_a_build_with_the_same_secret_is_not_done_again_and_with_another_it_is(
    engine: Engine, tree: Callable[[], Tree]
) -> None:
    given = [msgspec.structs.replace(REQUEST, secrets=(Secret("token", value),)) for value in (b"s3cretcanary", b"new")]
    keep(tree(), request=given[0])
    assert (again.recall(tree(), given[0]) is not None, again.recall(tree(), given[1])) == (True, None)
    kept = b"".join(path.read_bytes() for path in dirs.cache().rglob("*") if path.is_file())
    assert (b"s3cretcanary" in kept, b"czNjcmV0Y2FuYXJ5" in kept) == (False, False)


def write_to_it(folder: Path) -> None:
    (folder / "app.py").write_text("app = 2\n")


def remove_it(folder: Path) -> None:
    (folder / "app.py").unlink()


@pytest.mark.parametrize("meanwhile", [write_to_it, remove_it])
def test_of_a_source_that_changed_while_it_was_built_nothing_is_kept(
    meanwhile: Callable[[Path], None], engine: Engine, tree: Callable[[], Tree]
) -> None:
    built = tree()
    before = again.key(built, REQUEST)
    meanwhile(built.anchor)
    again.remember(built, PLAN, REQUEST, IMAGE, BASES, "FROM base:1\n", before)
    assert not (dirs.cache() / "made").exists()


def test_what_is_changed_after_it_was_first_asked_for_is_not_kept(engine: Engine, tree: Callable[[], Tree]) -> None:
    """A build may wait for its turn between its plan and its first step."""
    read = tree()
    assert again.recall(read, REQUEST) is None
    write_to_it(Path(read.origin.place))
    keep(read)
    assert again.recall(tree(), REQUEST) is None
