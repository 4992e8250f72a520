"""Secrets: sealed where they are kept, by version in what was made with them, opened only when a container starts."""

from __future__ import annotations

import base64
import stat
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from s2i import dirs
from s2i.control import runs
from s2i.control.task import Built, Request, Task
from s2i.control.vault import KEY_FILE, Vault
from s2i.errors import E_BUNDLE, E_BUNDLE_USED, E_MOUNT, E_REFERENCE, E_SEAL, S2IError
from s2i.resources import mounts
from s2i.resources.app import Config, Opened
from s2i.resources.bundle import Bundle, BundleKind, parse
from s2i.resources.change import Change
from s2i.resources.job import Execution, Job
from s2i.sources import Folder
from tests.control.simulation import IMAGE, Simulation
from tests.control.test_deploy import World

CANARY = b"s3cret/canary+value"
FORMS = (
    CANARY,
    base64.b64encode(CANARY),
    base64.b64encode(CANARY)[:-4],
    urllib.parse.quote_from_bytes(CANARY, safe="").encode(),
    CANARY.hex().encode(),
)


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    return Simulation(tmp_path)


def put(world: Simulation, kind: BundleKind = "secret", name: str = "db", **values: bytes) -> Bundle:
    vault = world.world.vault
    there = [one for one in world.store.bundles("default", kind) if one.name == name]
    version = there[0].version + 1 if there else 1
    return vault.put(Bundle("default", kind, name, version=version), values, world.now)


def config(*references: str) -> Config:
    return Config(env=(("A", "own"),), env_from=tuple(parse("secret", one) for one in references))


def test_a_container_gets_what_is_sealed_and_its_own_variables_go_before(world: Simulation) -> None:
    put(world, USER=b"shop", A=b"theirs")
    opened = world.world.vault.opened("default", config("db", "DB_=db"))
    assert dict(opened.env) == {"USER": "shop", "A": "own", "DB_USER": "shop", "DB_A": "theirs"}
    assert opened.env_from == ()


def test_the_key_is_beside_the_database_and_for_its_user_only(world: Simulation) -> None:
    put(world, USER=b"shop")
    path = dirs.state() / KEY_FILE
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.unlink()
    for wrong in (None, b"", base64.urlsafe_b64encode(b"x" * 32), b"no key"):
        if wrong is not None:
            path.write_bytes(wrong)
        with pytest.raises(S2IError) as caught:
            world.world.vault.opened("default", config("db"))
        assert caught.value.kind is E_SEAL


def test_no_row_passes_for_another(world: Simulation) -> None:
    put(world, name="mine", A=b"1")
    put(world, name="theirs", A=b"2")
    world.store._db.execute(
        "UPDATE bundle_versions SET sealed = (SELECT sealed FROM bundle_versions WHERE name = 'theirs') WHERE name = 'mine'"
    )
    with pytest.raises(S2IError, match="another's"):
        world.world.vault.values(world.store.bundle("default", "secret", "mine"))


def test_what_was_made_with_a_version_keeps_it_and_is_known_to_be_outdated(world: Simulation) -> None:
    vault = world.world.vault
    put(world, USER=b"one")
    pinned = vault.pinned("default", config("db"))
    assert pinned.env_from[0].version == 1
    assert vault.outdated("default", pinned) == ()
    put(world, USER=b"two")
    assert dict(vault.opened("default", pinned).env)["USER"] == "one"
    assert vault.outdated("default", pinned) == ("secret db",)
    assert vault.pinned("default", pinned) == pinned
    assert vault.pinned("default", pinned, newest=True).env_from[0].version == 2


@pytest.mark.parametrize("reference", ["nothing", "db:NO"])
def test_what_is_not_there_is_refused_unless_it_may_come_later(world: Simulation, reference: str) -> None:
    put(world, USER=b"one")
    vault = world.world.vault
    with pytest.raises(S2IError) as caught:
        vault.pinned("default", config(reference))
    assert caught.value.kind is E_REFERENCE
    later = vault.pinned("default", config(reference), force=True)
    assert dict(vault.opened("default", later).env) == {"A": "own"}
    put(world, name="nothing", NEW=b"here")
    put(world, USER=b"one", NO=b"now")
    assert set(dict(vault.opened("default", later).env)) in ({"A", "NEW"}, {"A", "NO"})


def test_a_mount_gives_files_by_version_and_no_variables(world: Simulation) -> None:
    vault = world.world.vault
    put(world, USER=b"one", **{"tls.key": b"\0\xff"})
    pinned = vault.pinned("default", Config(mounts=(mounts.parse("secret", "/etc/shop=db"),)))
    assert pinned.mounts[0].version == 1
    put(world, USER=b"two")
    opened = vault.opened("default", pinned)
    assert isinstance(opened, Opened)
    assert (opened.env, opened.mounts) == ((), ())
    assert opened.files == (mounts.Files("/etc/shop", (("USER", b"one"), ("tls.key", b"\0\xff"))),)
    assert "xff" not in repr(opened)
    assert vault.outdated("default", pinned) == ("secret db",)
    vault.tidy("default", "secret", "db")
    assert vault.opened("default", vault.pinned("default", pinned, newest=True)).files[0].content == (("USER", b"two"),)


def test_a_mount_of_what_is_not_there_is_refused_unless_it_may_come_later(world: Simulation) -> None:
    vault, wanted = world.world.vault, Config(mounts=(mounts.parse("secret", "/etc/shop=nothing"),))
    with pytest.raises(S2IError, match="there is none in the project default") as caught:
        vault.pinned("default", wanted)
    assert caught.value.kind is E_MOUNT
    later = vault.pinned("default", wanted, force=True)
    assert vault.opened("default", later).files == ()
    put(world, name="nothing", A=b"now")
    assert vault.opened("default", later).files[0].content == (("A", b"now"),)


def test_what_is_mounted_is_used(world: Simulation) -> None:
    put(world, USER=b"one")
    job = Job("default", "report", IMAGE, Config(mounts=(mounts.parse("secret", "/etc/shop=db"),)))
    world.store.accept_job(job, "", world.now, None)
    with pytest.raises(S2IError, match="is used by job report"):
        world.world.vault.delete("default", "secret", "db", force=False)
    runs.submit(world.world, "default", "report", runs.Wish())
    world.step()
    (work,) = world.engine.works.values()
    assert isinstance(work.config, Opened)
    assert work.config.files[0].content == (("USER", b"one"),)


def test_two_who_make_or_change_the_same_do_not_overwrite_each_other(world: Simulation) -> None:
    made = put(world, A=b"1")
    vault = world.world.vault
    for again in (Bundle("default", "secret", "db"), msgspec.structs.replace(made, version=3)):
        with pytest.raises(S2IError) as caught:
            vault.put(again, {"A": b"2"}, 1.0)
        assert caught.value.kind is E_BUNDLE


def test_versions_that_nothing_needs_are_forgotten_and_their_numbers_never_come_again(world: Simulation) -> None:
    vault = world.world.vault
    for number in range(3):
        made = put(world, A=b"%d" % number)
    vault.tidy("default", "secret", "db")
    assert [bool(world.store.sealed("default", "secret", "db", version)) for version in (1, 2, 3)] == [
        False,
        False,
        True,
    ]
    vault.delete("default", "secret", "db", force=False)
    assert not world.store.sealed("default", "secret", "db", made.version)
    assert put(world, A=b"new").version == 4


def test_one_that_is_used_is_not_deleted(world: Simulation) -> None:
    put(world, USER=b"one")
    job = Job("default", "report", IMAGE, config("db"), execution=Execution())
    world.store.accept_job(job, "", world.now, None)
    with pytest.raises(S2IError, match="is used by job report") as caught:
        world.world.vault.delete("default", "secret", "db", force=False)
    assert caught.value.kind is E_BUNDLE_USED
    world.world.vault.delete("default", "secret", "db", force=True)


def test_a_task_gets_the_newest_when_it_starts(world: Simulation) -> None:
    put(world, USER=b"one")
    job = Job("default", "report", IMAGE, config("db"), execution=Execution(retry_limit=1))
    world.store.accept_job(job, "", world.now, None)
    runs.submit(world.world, "default", "report", runs.Wish())
    put(world, USER=b"two")
    world.step()
    (work,) = world.engine.works.values()
    assert dict(work.config.env)["USER"] == "two"
    world.world.vault.delete("default", "secret", "db", force=True)
    with pytest.raises(S2IError, match="there is none in the project default"):
        runs.submit(world.world, "default", "report", runs.Wish())


# With a platform ------------------------------------------------------------------------------------------------------


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path, lambda task: built(task))
    yield made
    made.platform.stop()


def built(task: Task) -> Built:
    task.emit({"type": "stage", "name": "plan", "text": "wsgi"})
    return Built("app", "sha256:app", 9000, processes=(("worker", ("work",)),))


def request(*references: str, **more: object) -> Request:
    change = Change(env_from=tuple(parse("secret", one) for one in references))
    return Request(source=Folder("/src/shop"), name="shop", change=change, **more)  # type: ignore[arg-type]


def environment(world: World, instance: str) -> dict[str, str]:
    until = time.monotonic() + 10
    while True:
        found = [work for work in world.engine.works.values() if work.owner.instance == instance]
        if found or time.monotonic() > until:
            return dict(found[-1].config.env)
        time.sleep(0.01)


def test_an_app_and_its_worker_get_the_variables_and_a_restart_takes_what_has_changed(platform: World) -> None:
    put(platform, USER=b"one")
    platform.deploy_and_wait(request("db"))
    assert environment(platform, "r1-0")["USER"] == "one"
    assert environment(platform, "0-0")["USER"] == "one"
    put(platform, USER=b"two")
    assert platform.platform.restart_users("default", "secret", "db") == ["shop"]
    until = time.monotonic() + 10
    while platform.store.app("default", "shop").serving != 2 and time.monotonic() < until:
        time.sleep(0.01)
    assert environment(platform, "r2-0")["USER"] == "two"
    assert platform.store.revision("default", "shop", 1).config.env_from[0].version == 1


def test_an_update_takes_what_has_changed_and_a_rollback_what_there_was(platform: World) -> None:
    put(platform, USER=b"one")
    platform.deploy_and_wait(request("db"))
    same = platform.deploy_and_wait(request("db", unless_same=True))
    assert same.revision == 1
    put(platform, USER=b"two")
    changed = platform.deploy_and_wait(request("db", unless_same=True))
    assert changed.revision == 2
    platform.ended(platform.platform.deployments.again(platform.store.revision("default", "shop", 1), "back").id)
    versions = [one.config.env_from[0].version for one in platform.store.revisions("default", "shop")]
    assert versions == [1, 2, 1]
    assert environment(platform, "r3-0")["USER"] == "one"


def test_a_deployment_of_what_is_not_there_is_refused_before_anything_is_built(platform: World) -> None:
    with pytest.raises(S2IError) as caught:
        platform.platform.deployments.begin("default", request("nothing"))
    assert caught.value.kind is E_REFERENCE
    assert platform.store.deployments() == ()
    assert platform.deploy_and_wait(request("nothing", force=True)).status == "ready"


def test_a_secret_is_in_no_file_of_the_server(platform: World, tmp_path: Path) -> None:
    put(platform, PASSWORD=CANARY)
    put(platform, "configmap", "known", PLAIN=b"plainly-there")
    platform.deploy_and_wait(request("db"))
    platform.deploy_and_wait(Request(name="shop", change=Change(env=(("B", "1"),))))
    put(platform, PASSWORD=CANARY + b"2")
    assert environment(platform, "r1-0")["PASSWORD"] == CANARY.decode()
    files = [path for place in (tmp_path, dirs.state()) for path in place.rglob("*") if path.is_file()]
    content = {path: path.read_bytes() for path in files}
    assert any(b"plainly-there" in data or base64.b64encode(b"plainly-there") in data for data in content.values())
    assert {path.name for path, data in content.items() for form in FORMS if form in data} == set()
    assert Vault(platform.store).users("default", "secret", "db") == ["app shop", "job shop-worker"]
