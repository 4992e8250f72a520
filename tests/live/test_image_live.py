"""What an image carries, and the end of images that nothing needs: on a real engine, which has other people's too."""

from __future__ import annotations

import contextlib
import json
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path

import docker
import docker.errors
import pytest
from git_http import commit, git, repository
from home import FIXTURES, Home

from s2i import shell
from s2i.images.stock import cache, listing, remove
from s2i.resources import labels

OCI = "org.opencontainers.image."
FLASK = {path.name: path.read_bytes() for path in (FIXTURES / "flask-hello/app").iterdir() if path.is_file()}


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder))
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository, with a title that no other test has."""
    return repository(tmp_path_factory.mktemp("source") / f"t{uuid.uuid4().hex[:10]}", FLASK)


@pytest.fixture(scope="module")
def image(home: Home, source: Path, engine: docker.DockerClient) -> Iterator[str]:
    """Return the id of an image of the source; what the module builds of it goes in the end."""
    yield home.ok("build", str(source))
    for row in engine.api.images(filters={"label": f"{labels.BUILD}={source.name}"}):
        for container in engine.containers.list(ignore_removed=True, all=True, filters={"ancestor": row["Id"]}):
            container.remove(force=True)
        with contextlib.suppress(docker.errors.ImageNotFound):
            engine.api.remove_image(row["Id"], force=True)


def test_an_image_says_where_it_comes_from_and_what_made_it(
    home: Home, image: str, source: Path, engine: docker.DockerClient
) -> None:
    found = engine.api.inspect_image(image)  # type: ignore[no-untyped-call]
    tags = found["Config"]["Labels"]
    base = engine.api.inspect_image(tags[f"{OCI}base.name"])  # type: ignore[no-untyped-call]
    assert tags[f"{OCI}base.digest"] in (base["Id"], *(name.rpartition("@")[2] for name in base["RepoDigests"] or ()))
    assert tags[f"{OCI}title"] == source.name
    assert tags[f"{OCI}revision"] == git(source, "rev-parse", "HEAD")
    assert tags[f"{OCI}created"] == "2023-11-14T22:13:20Z"
    assert str(source) not in json.dumps(found)
    (folder,) = (home.folder / "state/images").iterdir()
    assert folder.name == image[7:19]
    plan = shell.run(("sha256sum", str(folder / "plan.json")), timeout=10).out.decode().split()[0]
    assert tags[labels.PLAN] == plan
    statement = json.loads((folder / "provenance.json").read_text())
    assert statement["subject"] == [{"name": f"s2i/{source.name}:latest", "digest": {"sha256": image[7:]}}]


def test_a_second_build_makes_the_same_image_and_writes_nothing(home: Home, image: str, source: Path) -> None:
    (folder,) = (home.folder / "state/images").iterdir()
    before = {path.name: path.stat() for path in folder.iterdir()}
    assert home.ok("build", str(source)) == image
    assert {path.name: path.stat() for path in folder.iterdir()} == before


def test_the_bill_of_materials_has_what_is_installed_and_leaves_no_container(
    home: Home, image: str, source: Path, engine: docker.DockerClient
) -> None:
    found = json.loads(home.ok("image", "sbom", source.name))
    purls = {one["purl"].partition("?")[0].rpartition("@")[0] for one in found["components"]}
    assert {"pkg:pypi/flask", "pkg:pypi/gunicorn", "pkg:deb/debian/libc6", "pkg:generic/python"} <= purls
    versions = {one["name"]: one["version"] for one in found["components"]}
    assert found["metadata"]["component"]["hashes"][0]["content"] == image[7:]
    needs = {one["ref"]: one.get("dependsOn", []) for one in found["dependencies"]}
    assert f"pkg:pypi/click@{versions['click']}" in needs[f"pkg:pypi/flask@{versions['flask']}"]
    assert engine.containers.list(ignore_removed=True, all=True, filters={"label": f"{labels.READER}={image}"}) == []
    assert (home.folder / "state/images" / image[7:19] / "sbom.cdx.json").exists()
    assert len(list((home.folder / "cache/inventories").iterdir())) == 1


def test_an_image_is_shown_with_its_layers_by_name_id_and_title(home: Home, image: str, source: Path) -> None:
    shown = [home.data("image", "inspect", name) for name in (image, image[7:19], source.name)]
    assert shown[0] == shown[1] == shown[2]
    assert (shown[0]["id"], shown[0]["ports"], shown[0]["user"], shown[0]["changed"]) == (image, [8080], "1001:0", [])
    steps = [layer["step"] for layer in shown[0]["layers"]]
    assert steps[0].startswith("the base image ")
    assert "Copy the source, last: it changes most often" in steps
    assert sum(layer["size"] for layer in shown[0]["layers"]) == pytest.approx(shown[0]["size"], rel=0.02)
    assert home.run("image", "inspect", "no-such-image").returncode == 2


def test_only_superseded_builds_of_this_home_are_collected(
    home: Home, image: str, source: Path, engine: docker.DockerClient, remove_images: list[str]
) -> None:
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        commit(source, {"extra.py": "x = 'another home'\n"})
        others = Home(Path(folder)).ok("build", str(source))
    built = [image]
    for number in range(4):
        commit(source, {"extra.py": f"x = {number}\n"})
        built.append(home.ok("build", str(source)))
    engine.api.tag(built[0], f"s2i-test/{source.name}", "mine")
    engine.api.create_container(built[1], command=["none"])
    # A person's own image that stands on one of ours inherits its labels.
    box = engine.api.create_container(built[2], command=["none"])
    child = engine.api.commit(box["Id"], message=source.name)["Id"]
    engine.api.remove_container(box["Id"])
    remove_images += [child]
    planned = {row["image"]: row["goes"] for row in home.data("image", "gc", "--dry-run", "--keep", "0")["images"]}
    assert {one for one, goes in planned.items() if goes} == {built[3]}
    assert (planned[child], planned[others], planned[built[4]]) == (False, False, False)
    done = home.data("image", "gc", "--keep", "0")
    assert [row["image"] for row in done["images"]] == [built[3]]
    here = [one for one in (*built, child, others) if listing.details(engine, one) is not None]
    assert here == [one for one in (*built, child, others) if one != built[3]]
    assert not (home.folder / "state/images" / built[3][7:19]).exists()
    engine.api.remove_image(f"s2i-test/{source.name}:mine")


def test_the_server_keeps_what_can_be_gone_back_to_and_removes_the_rest(
    home: Home, tmp_path: Path, engine: docker.DockerClient
) -> None:
    """FAULTS F34, F37."""
    place = tmp_path / "report"
    place.mkdir()
    (place / "main.py").write_text("if __name__ == '__main__':\n    print('one')\n")
    home.ok("deploy", str(place), "--name", "report")
    first = home.data("image", "inspect", "report")
    assert first["uses"] == ["the job report of the project default runs it"]
    (place / "main.py").write_text("if __name__ == '__main__':\n    print('two')\n")
    home.ok("deploy", str(place), "--name", "report")
    home.ok("jobrun", "delete", "report-1", "--yes")
    second = home.data("image", "inspect", "report")
    # By hand, with the labels of this server, of another one, and of none.
    server = str(home.server()["id"])
    stamp = uuid.uuid4().hex
    made = {}
    for owner in (server, "another", ""):
        told = (
            f"LABEL {labels.SERVER}={owner} {labels.PROJECT}=default stamp={stamp}" if owner else f"LABEL stamp={stamp}"
        )
        tag = f"s2i-test/{stamp}:{owner or 'none'}"
        engine.api.import_image_from_data(
            b"\0" * 1024, repository=f"s2i-test/{stamp}", tag=tag.rpartition(":")[2], changes=[told]
        )
        box = engine.api.create_container(tag, command=["none"])
        made[owner] = engine.api.inspect_image(tag)["Id"]  # type: ignore[no-untyped-call]
        engine.api.remove_container(box["Id"])
    try:
        goes = {row["image"] for row in home.data("image", "gc", "--dry-run")["images"] if row["goes"]}
        assert goes >= {first["id"]}
        assert goes & {second["id"], *made.values()} == set()  # they have names
        assert first["id"] in {row["image"] for row in home.data("image", "gc")["images"]}
        assert listing.details(engine, first["id"]) is None
        assert {listing.details(engine, one) is None for one in (second["id"], *made.values())} == {False}
    finally:
        for one in made.values():
            engine.api.remove_image(one, force=True)


def test_build_cache_of_our_steps_goes_and_that_of_others_stays(
    engine: docker.DockerClient, home: Home, tmp_path: Path
) -> None:
    stamp = uuid.uuid4().hex
    base = next(
        tag for row in engine.api.images() for tag in row["RepoTags"] or () if tag.startswith("s2i.local/python:")
    )
    ours, theirs = f"echo {stamp} ours", f"echo {stamp} theirs"
    for command in (ours, theirs):
        (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN {command} >/tmp/x\n")
        tag = f"s2i-test/{stamp}:latest"
        home.ok("build", str(tmp_path), "--strategy", "dockerfile", "-t", tag)
        engine.api.remove_image(tag, force=True)
    records = cache.records(remove.usage(engine))
    known = {one.id for one in records if stamp in one.text}
    mine = cache.ours(records, cache.texts([f"FROM x\nRUN {ours} >/tmp/x\n"]))
    assert len(known) == 2
    assert {one.id for one in mine} < known
    remove.prune(engine, mine)
    left = {one.id for one in cache.records(remove.usage(engine)) if stamp in one.text}
    assert left == known - {one.id for one in mine}
    remove.prune(engine, [one for one in records if one.id in left])
