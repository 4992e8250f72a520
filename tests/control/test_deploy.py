"""Deployments: built, accepted, watched to their end, whatever happens on the way."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from s2i.control.journal import Journal
from s2i.control.platform import Platform
from s2i.control.task import Built, Request, Task
from s2i.engines.engine import Owner
from s2i.errors import E_BUILD_CANCELLED, E_CANCELLED, E_GIT_UNREACHABLE, E_NOT_PYTHON, E_PROOF, S2IError
from s2i.resources.app import OPEN_DEPLOYMENT, Config, Deployment, Revision, Routing, Scale
from s2i.resources.change import Change
from s2i.sources import Folder, Git
from tests.control.simulation import Simulation

SOURCE = Folder("/src/shop")


class World(Simulation):
    """A platform on fakes: its loop runs for real, its build is what a test says."""

    def __init__(self, folder: Path, build: Callable[[Task], Built]) -> None:
        super().__init__(folder)
        self.platform = Platform(self.store, self.engine, self.router, build)
        self.platform.loop._prober.answers = self.engine.answers
        self.platform.sweeper.stop()  # the fake has its image before anything needs one
        self.platform.start()

    def deploy_and_wait(self, request: Request) -> Deployment:
        begun = self.platform.deployments.begin("default", request)
        return self.ended(begun.id)

    def ended(self, ident: str) -> Deployment:
        until = time.monotonic() + 20
        while (found := self.store.deployment("default", ident)).status in OPEN_DEPLOYMENT:
            assert time.monotonic() < until, found
            time.sleep(0.01)
        return found


def app(task: Task) -> Built:
    task.emit({"type": "stage", "name": "plan", "text": "wsgi"})
    return Built("app", "sha256:app", 9000, "c0ffee")


def job(_task: Task) -> Built:
    return Built("job", "sha256:app")


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Callable[[Callable[[Task], Built]], World]]:
    made: list[World] = []

    def one(build: Callable[[Task], Built]) -> World:
        made.append(World(tmp_path, build))
        return made[-1]

    yield one
    for world in made:
        world.platform.stop()


Make = Callable[[Callable[[Task], Built]], World]


def journal(ident: str) -> list[dict[str, object]]:
    lines, _ = Journal(ident).read(0)
    return [json.loads(line) for line in lines]


def test_an_app_is_built_rolled_out_and_has_a_url(make: Make) -> None:
    world = make(app)
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop", change=Change(env=(("A", "1"),))))
    assert (ended.status, ended.kind, ended.revision) == ("ready", "app", 1)
    assert ended.result == "http://shop.default.localhost:8080"
    made = world.store.revision("default", "shop", 1)
    assert (made.config.port, made.config.env, made.commit, made.source) == (9000, (("A", "1"),), "c0ffee", "/src/shop")
    assert [(one["type"], one.get("name")) for one in journal(ended.id)] == [
        ("stage", "plan"),
        ("status", None),
        ("stage", "rollout"),
        ("result", None),
    ]


def test_the_port_that_was_asked_for_beats_the_plan(make: Make) -> None:
    world = make(app)
    world.deploy_and_wait(Request(source=SOURCE, name="shop", change=Change(config={"port": 5555})))
    assert world.store.revision("default", "shop", 1).config.port == 5555


def test_a_job_is_run_and_ends_the_deployment_with_its_exit(make: Make) -> None:
    world = make(job)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="report"))
    owner = Owner("default", "job", "report", run="report-1", instance="0-0")
    until = time.monotonic() + 20
    while ("start_task", "default/report-1/0-0") not in world.engine.calls and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.05)
    world.engine.exit(owner, 3)
    ended = world.ended(begun.id)
    assert (ended.status, ended.kind, ended.result) == ("failed", "job", "report-1")
    assert ended.error is not None
    assert (ended.error["code"], ended.error["exit"]) == ("E_JOB_FAILED", 6)
    assert world.store.run("default", "report-1").exit == 3


def test_an_app_that_is_deleted_while_it_is_rolled_out_ends_its_deployment_so(make: Make) -> None:
    world = make(app)
    world.platform.loop._prober.answers = lambda *_: False  # type: ignore[method-assign]
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    while not world.store.apps():
        time.sleep(0.01)
    world.store.delete_app("default", "shop")
    world.platform.loop.kick()
    ended = world.ended(begun.id)
    assert ended.error is not None
    assert (ended.status, ended.error["code"], ended.error["exit"]) == ("cancelled", "E_DELETED", 6)
    assert ended.error["message"] == '"shop" was deleted while it was being deployed'
    assert world.platform.deployments.unborn("default") == ()


def test_a_refusal_of_a_stage_is_the_deployments_error(make: Make) -> None:
    def refuse(_task: Task) -> Built:
        raise E_NOT_PYTHON(found="index.html")

    world = make(refuse)
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.status == "failed"
    assert ended.error is not None
    assert (ended.error["code"], ended.error["exit"]) == ("E_NOT_PYTHON", 4)
    assert world.store.apps() == ()
    assert journal(ended.id)[-1]["type"] == "error"


def test_a_passing_fault_of_a_stage_is_a_failure_and_no_interruption(make: Make) -> None:
    def unreachable(_task: Task) -> Built:
        raise E_GIT_UNREACHABLE(host="git.example", why="no route")

    ended = make(unreachable).deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.error is not None
    assert (ended.status, ended.error["exit"]) == ("failed", 75)


def test_a_bug_in_a_stage_tells_the_caller_no_more_than_its_class(make: Make) -> None:
    def stumble(_task: Task) -> Built:
        raise ValueError("secret detail")

    ended = make(stumble).deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.error is not None
    assert ended.error["code"] == "E_INTERNAL"
    assert "secret detail" not in json.dumps(journal(ended.id))


def test_of_a_storm_of_deployments_the_first_and_the_last_are_built(make: Make) -> None:
    gate, built = threading.Event(), list[str]()

    def slow(task: Task) -> Built:
        built.append(task.place)
        assert gate.wait(20)
        return app(task)

    world = make(slow)
    begun = [
        world.platform.deployments.begin("default", Request(source=Folder(f"/src/{number}"), name="shop"))
        for number in range(50)
    ]
    until = time.monotonic() + 20
    while (
        sum(world.store.deployment("default", one.id).status == "superseded" for one in begun) < 48
        and time.monotonic() < until
    ):
        time.sleep(0.01)
    gate.set()
    assert [world.ended(one.id).status for one in begun] == ["ready", *["superseded"] * 48, "ready"]
    assert built == ["/src/0", "/src/49"]
    assert world.store.revision("default", "shop", 2).source == "/src/49"
    told = world.ended(begun[7].id).error
    assert told is not None
    assert (told["code"], told["exit"]) == ("E_SUPERSEDED", 7)
    assert journal(begun[49].id)[0]["text"] == "wait for the deployment of /src/0, which is building"


def test_a_deployment_that_waits_for_its_turn_can_be_cancelled(make: Make) -> None:
    gate = threading.Event()

    def slow(task: Task) -> Built:
        assert gate.wait(20)
        return app(task)

    world = make(slow)
    first, second = (world.platform.deployments.begin("default", Request(source=SOURCE, name="shop")) for _ in range(2))
    world.platform.deployments.cancel("default", second.id)
    assert world.ended(second.id).status == "cancelled"
    gate.set()
    assert world.ended(first.id).status == "ready"


def test_a_restart_and_a_roll_back_wait_for_nobody(make: Make) -> None:
    gate = threading.Event()
    gate.set()

    def slow(task: Task) -> Built:
        assert gate.wait(20)
        return app(task)

    world = make(slow)
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    gate.clear()
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    with pytest.raises(S2IError) as caught:
        world.platform.deployments.again(world.store.revision("default", "shop", 1), "revision 1")
    assert (caught.value.code, caught.value.exit) == ("E_BUSY", 7)
    assert caught.value.message == '"shop" is busy: /src/shop is being built'
    gate.set()
    assert world.ended(begun.id).status == "ready"


def test_a_job_run_that_goes_on_says_how_to_end_it(make: Make) -> None:
    world = make(job)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="report"))
    until = time.monotonic() + 20
    while world.store.deployment("default", begun.id).kind != "job" and time.monotonic() < until:
        time.sleep(0.01)
    with pytest.raises(S2IError, match="its run report-1 goes on") as caught:
        world.platform.deployments.begin("default", Request(source=SOURCE, name="report"))
    assert caught.value.advice == "wait, or end it: `s2i jobrun cancel report-1`"
    world.platform.delete_run("default", "report-1")
    assert world.ended(begun.id).status == "failed"


def test_a_stop_leaves_a_run_that_goes_on_to_the_next_server(
    make: Make, caplog: pytest.LogCaptureFixture, recwarn: pytest.WarningsRecorder
) -> None:
    world = make(job)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="report"))
    until = time.monotonic() + 20
    while len(journal(begun.id)) < 2 and time.monotonic() < until:
        time.sleep(0.01)
    world.platform.deployments.stop()
    assert [one.name for one in threading.enumerate() if begun.id in one.name] == []
    assert world.store.deployment("default", begun.id).status == "rolling-out"
    assert journal(begun.id)[0]["jobrun"] == "report-1"
    assert (caplog.records, list(recwarn)) == ([], [])


def test_a_cancelled_build_leaves_no_revision(make: Make) -> None:
    def endless(task: Task) -> Built:
        assert task.cancelled.wait(20)
        raise E_CANCELLED(doing="it was built")

    world = make(endless)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    world.platform.deployments.cancel("default", begun.id)
    assert world.ended(begun.id).status == "cancelled"
    assert world.store.apps() == ()


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(source=SOURCE, name="Shop"), "E_NAME"),
        (Request(source=SOURCE, name="shop", change=Change(config={"memory": 1})), "E_LIMIT"),
        (Request(source=SOURCE, name="shop", change=Change(env=(("LD_PRELOAD", "x"),))), "E_ENV"),
        (Request(source=SOURCE, name="shop", change=Change(config={"port": 0})), "E_PORT"),
    ],
)
def test_a_bad_request_records_nothing(make: Make, request_: Request, code: str) -> None:
    world = make(app)
    with pytest.raises(S2IError) as caught:
        world.platform.deployments.begin("default", request_)
    assert caught.value.code == code
    assert world.store.deployments() == ()


def test_after_a_kill_builds_are_interrupted_and_roll_outs_watched(tmp_path: Path) -> None:
    before = Simulation(tmp_path)
    before.store.open_deployment(Deployment("k1", "default", "half", "src", "building", 1.0))
    before.store.open_deployment(Deployment("k2", "default", "shop", "src", "building", 1.0))
    before.store.accept_revision(Revision("default", "shop", 0, "sha256:app", Config()), "k2")
    before.store.close()
    after = World(tmp_path, app)
    assert after.ended("k1").status == "interrupted"
    assert (after.ended("k2").status, after.store.app("default", "shop").serving) == ("ready", 1)
    after.platform.stop()


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Folder("/src", "app"), "/src#app"),
        (Git("https://h/o/r", ref="v1", subdir="app"), "https://h/o/r@v1#app"),
        (Git("https://h/o/r", commit="a" * 40), "https://h/o/r@" + "a" * 40),
    ],
)
def test_a_source_is_recorded_as_a_person_would_write_it(make: Make, source: Folder | Git, text: str) -> None:
    world = make(app)
    assert world.deploy_and_wait(Request(source=source, name="shop")).source == text


@pytest.mark.parametrize("born", [True, False])
def test_an_app_that_is_deleted_while_it_is_built_is_not_made_anew_by_that(make: Make, born: bool) -> None:
    begun = threading.Event()

    def slow(task: Task) -> Built:
        if task.place == "/slow":
            begun.set()
            assert task.cancelled.wait(20)
            raise E_BUILD_CANCELLED()
        return app(task)

    world = make(slow)
    if born:
        world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    building = world.platform.deployments.begin("default", Request(source=Folder("/slow"), name="shop"))
    waits = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    assert begun.wait(20)
    world.platform.delete_app("default", "shop")
    assert (world.store.apps(), world.platform.deployments.unborn("default")) == ((), ())
    assert [one.id for one in world.store.deployments("default") if one.id in (building.id, waits.id)] == []
    time.sleep(0.3)
    assert world.store.apps() == ()
    assert world.engine.observe() == ()


def test_a_deleted_app_is_gone_with_all_that_it_had_when_delete_returns(make: Make) -> None:
    world = make(app)
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    world.platform.delete_app("default", "shop")
    assert (world.engine.containers, world.router.routes(), world.store.apps()) == ({}, {}, ())


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (Request(source=Git("https://user:s3cr3tcanary@example.com/x/y"), name="shop"), "E_URL"),
        (Request(source=Git("https://example.com/x/y", ref="--upload-pack=x"), name="shop"), "E_REF"),
        (Request(source=SOURCE, name="shop", change=Change(config={"port": 99999})), "E_PORT"),
        (Request(source=SOURCE, name="shop", timeout=-1), "E_LIMIT"),
        (Request(source=SOURCE, name="shop", change=Change(config={"command": ["a\0b"]})), "E_VALUE"),
        (Request(source=SOURCE, name="shop", change=Change(env=(("LD_PRELOAD", "x"),))), "E_ENV"),
    ],
)
def test_a_bad_request_is_refused_before_anything_is_written_down(
    make: Callable[[Callable[[Task], Built]], World], request_: Request, code: str
) -> None:
    world = make(app)
    with pytest.raises(S2IError) as caught:
        world.platform.deployments.begin("default", request_)
    assert (caught.value.code, caught.value.exit) == (code, 2)
    assert "s3cr3tcanary" not in str(caught.value)
    assert world.store.deployments() == ()


# Proof: the revision comes up meanwhile, and gets no traffic before ------------------------------------------------


def serving(world: World) -> int:
    return world.store.app("default", "shop").serving


def test_a_revision_gets_no_traffic_before_its_image_is_proven(make: Make) -> None:
    gate, seen = threading.Event(), list[Config]()

    def prove(config: Config, late: Callable[[str], None]) -> None:
        seen.append(config)
        assert gate.wait(20)
        late("it ignores SIGTERM")

    world = make(lambda task: Built("app", "sha256:app", 9000, prove=prove))
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    until = time.monotonic() + 20
    while not world.engine.observe() and time.monotonic() < until:
        time.sleep(0.01)
    time.sleep(0.3)
    assert {one.state for one in world.engine.observe()} == {"running"}
    assert (serving(world), world.router.pointed("default", "shop")) == (0, {})
    gate.set()
    assert (world.ended(begun.id).status, serving(world), seen[0].port) == ("ready", 1, 9000)
    assert [one.text for one in world.store.events("default", "shop") if one.what == "proof"] == ["it ignores SIGTERM"]


def test_an_image_that_is_not_proven_fails_its_revision_and_the_old_one_serves_on(make: Make) -> None:
    good = True

    def prove(config: Config, late: Callable[[str], None]) -> None:
        if not good:
            raise E_PROOF(why="it listens nowhere", log=())

    world = make(lambda task: Built("app", "sha256:app", prove=prove))
    assert world.deploy_and_wait(Request(source=SOURCE, name="shop")).status == "ready"
    good = False
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.error is not None
    assert (ended.status, ended.error["code"], ended.error["exit"]) == ("failed", "E_PROOF", 5)
    assert (serving(world), world.store.revision("default", "shop", 2).status) == (1, "failed")
    assert "it listens nowhere" in world.store.events("default", "shop")[-1].text


def test_the_first_roll_out_says_that_the_app_is_new(make: Make) -> None:
    world = make(app)
    said = [
        next(line["text"] for line in journal(ended.id) if line.get("name") == "rollout")
        for ended in (world.deploy_and_wait(Request(source=SOURCE, name="shop")) for _ in range(2))
    ]
    assert said == [
        "new app shop: start revision 1, wait for an answer",
        "start revision 2, wait for an answer",
    ]


def test_the_proof_has_the_word_when_the_revision_has_ended_as_well(make: Make) -> None:
    def prove(config: Config, late: Callable[[str], None]) -> None:
        owner = Owner("default", "app", "shop", 1, instance="r1-0")
        until = time.monotonic() + 20
        while not world.engine.observe() and time.monotonic() < until:
            time.sleep(0.01)
        world.engine.exit(owner, 3)
        time.sleep(0.3)
        raise E_PROOF(why="there is no module yaml", log=())

    world = make(lambda task: Built("app", "sha256:app", prove=prove))
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.error is not None
    assert ended.error["code"] == "E_PROOF"
    assert world.store.revision("default", "shop", 1).reason.endswith("there is no module yaml")


def test_what_is_built_by_what_the_proof_has_shown_takes_the_place(make: Make) -> None:
    world = make(lambda task: Built("app", "sha256:app", 1, prove=lambda config, late: Built("app", "sha256:app", 2)))
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert (ended.status, ended.revision, serving(world)) == ("ready", 2, 2)
    assert [one.status for one in world.store.revisions("default", "shop")] == ["failed", "serving"]


def test_a_cancelled_proof_leaves_what_served(make: Make) -> None:
    def build(task: Task) -> Built:
        def prove(config: Config, late: Callable[[str], None]) -> None:
            assert task.cancelled.wait(20)
            raise E_CANCELLED(doing="it was being proven")

        return Built("app", "sha256:app", prove=prove)

    world = make(build)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    until = time.monotonic() + 20
    while not world.store.apps() and time.monotonic() < until:
        time.sleep(0.01)
    world.platform.deployments.cancel("default", begun.id)
    assert (world.ended(begun.id).status, serving(world)) == ("cancelled", 0)


def test_a_server_that_was_killed_in_a_proof_gives_no_traffic_to_what_is_not_proven(tmp_path: Path) -> None:
    before = Simulation(tmp_path)
    before.store.open_deployment(Deployment("k1", "default", "shop", "src", "building", 1.0))
    before.store.accept_revision(Revision("default", "shop", 0, "sha256:app", Config(), held=True), "k1")
    before.store.close()
    after = World(tmp_path, app)
    assert after.ended("k1").status == "interrupted"
    assert (serving(after), after.store.revision("default", "shop", 1).status) == (0, "failed")
    after.platform.stop()


# What is not named stays ---------------------------------------------------------------------------------------------


def change(world: World, change: Change, **more: object) -> Deployment:
    return world.deploy_and_wait(Request(name="shop", change=change, **more))  # type: ignore[arg-type]


def test_a_deployment_keeps_the_settings_that_it_does_not_name(make: Make) -> None:
    world = make(app)
    first = Change(env=(("A", "1"), ("B", "2")), config={"memory": 64 << 20}, scale={"max": 3}, routing={"h2c": True})
    world.deploy_and_wait(Request(source=SOURCE, name="shop", change=first))
    second = Change(env=(("B", "3"),), env_rm=("A",), config={"cpu": 0.5}, scale={"min": 1})
    world.deploy_and_wait(Request(source=SOURCE, name="shop", change=second))
    config = world.store.revision("default", "shop", 2).config
    assert (config.env, config.memory, config.cpu) == ((("B", "3"),), 64 << 20, 0.5)
    assert world.store.app("default", "shop").scale == Scale(min=1, max=3)
    assert world.store.app("default", "shop").routing == Routing(h2c=True)


def test_other_settings_alone_make_a_revision_of_the_same_image(make: Make) -> None:
    world = make(app)
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    world.engine.images.add("sha256:app")
    ended = change(world, Change(env=(("A", "1"),)), expect="there")
    made = world.store.revision("default", "shop", 2)
    assert (ended.status, ended.source) == ("ready", "revision 1, with other settings")
    assert (made.image, made.source, made.commit, made.config.port) == ("sha256:app", "/src/shop", "c0ffee", 9000)


def test_a_failed_revision_leaves_no_settings_behind(make: Make) -> None:
    def prove(config: Config, late: Callable[[str], None]) -> None:
        if dict(config.env)["A"] == "broken":
            raise E_PROOF(why="it listens nowhere", log=())

    world = make(lambda task: Built("app", "sha256:app", prove=prove))
    for value, status in (("1", "ready"), ("broken", "failed")):
        wanted = Request(source=SOURCE, name="shop", change=Change(env=(("A", value),)))
        assert world.deploy_and_wait(wanted).status == status
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert world.store.revision("default", "shop", 3).config.env == (("A", "1"),)


def test_a_port_that_was_asked_for_stays_and_one_of_a_plan_does_not(make: Make) -> None:
    ports = iter((9000, 9001, 9002))
    world = make(lambda task: Built("app", "sha256:app", next(ports)))
    asked = [Change(), Change(config={"port": 5555}), Change()]
    for number, wanted in enumerate(asked, 1):
        world.deploy_and_wait(Request(source=SOURCE, name="shop", change=wanted))
        assert world.store.revision("default", "shop", number).config.port == (9000, 5555, 5555)[number - 1]


def test_exact_settings_forget_what_was_there_and_the_same_again_makes_no_revision(make: Make) -> None:
    world = make(app)
    world.deploy_and_wait(Request(source=SOURCE, name="shop", change=Change(env=(("A", "1"),), scale={"max": 3})))
    exact = Change(env=(("B", "2"),), scale={"min": 1}, exact=True)
    for _ in range(2):
        ended = world.deploy_and_wait(Request(source=SOURCE, name="shop", change=exact, unless_same=True))
        assert (ended.status, ended.revision, ended.result) == ("ready", 2, "http://shop.default.localhost:8080")
    assert len(world.store.revisions("default", "shop")) == 2
    assert world.store.revision("default", "shop", 2).config.env == (("B", "2"),)
    assert world.store.app("default", "shop").scale == Scale(min=1)


@pytest.mark.parametrize(
    ("expect", "there", "code", "exit_"), [("new", True, "E_TAKEN", 2), ("there", False, "E_NOT_FOUND", 2)]
)
def test_an_app_that_is_to_be_new_or_there_is_looked_for_first(
    make: Make, expect: str, there: bool, code: str, exit_: int
) -> None:
    world = make(app)
    if there:
        world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    with pytest.raises(S2IError) as caught:
        world.platform.deployments.begin("default", Request(source=SOURCE, name="shop", expect=expect))  # type: ignore[arg-type]
    assert (caught.value.code, caught.value.exit) == (code, exit_)


# The release command -------------------------------------------------------------------------------------------------


def release_run(world: World) -> Owner:
    """Wait until the release command runs."""
    until = time.monotonic() + 20
    while not (open_ := [one for one in world.store.open_runs() if one.status == "running"]):
        assert time.monotonic() < until
        time.sleep(0.01)
    return Owner("default", "job", "shop", run=open_[0].name, instance="0-0")


def released(task: Task) -> Built:
    return Built("app", "sha256:app", 9000, release=("flask", "db", "upgrade"))


def test_a_release_command_is_run_before_the_revision_gets_requests(make: Make) -> None:
    world = make(released)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    owner = release_run(world)
    time.sleep(0.3)
    assert (serving(world), world.router.pointed("default", "shop")) == (0, {})
    work = next(one for one in world.engine.works.values() if one.owner == owner)
    assert (work.config.command, work.image) == (("flask", "db", "upgrade"), "sha256:app")
    world.engine.exit(owner, 0)
    assert (world.ended(begun.id).status, serving(world)) == ("ready", 1)
    assert next(one["text"] for one in journal(begun.id) if one.get("name") == "release") == "flask db upgrade (shop-1)"


def test_a_release_command_that_fails_leaves_what_serves(make: Make) -> None:
    world = make(released)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    world.engine.exit(release_run(world), 0)
    world.ended(begun.id)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    owner = release_run(world)
    world.engine.exit(owner, 3)
    ended = world.ended(begun.id)
    assert ended.error is not None
    assert (ended.error["code"], ended.error["exit"]) == ("E_RELEASE", 6)
    assert ended.error["message"] == "revision 2 failed at its release command, `flask db upgrade`: exit code 3"
    assert (serving(world), world.store.revision("default", "shop", 2).status) == (1, "failed")


def test_a_cancelled_release_command_is_ended(make: Make) -> None:
    world = make(released)
    begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop"))
    release_run(world)
    world.platform.deployments.cancel("default", begun.id)
    assert (world.ended(begun.id).status, world.store.open_runs()) == ("cancelled", ())


def test_a_command_that_was_asked_for_goes_before_that_of_the_source_and_stays(make: Make) -> None:
    world = make(released)
    asked = Change(config={"release": ["migrate"]})
    for number, wanted in enumerate((asked, Change()), 1):
        begun = world.platform.deployments.begin("default", Request(source=SOURCE, name="shop", change=wanted))
        world.engine.exit(release_run(world), 0)
        world.ended(begun.id)
        assert world.store.revision("default", "shop", number).release == ("migrate",)


def test_a_server_that_was_killed_in_a_release_command_ends_it(tmp_path: Path) -> None:
    before = Simulation(tmp_path)
    before.store.open_deployment(Deployment("k1", "default", "shop", "src", "building", 1.0))
    made = Revision("default", "shop", 0, "sha256:app", Config(), held=True, release=("migrate",))
    before.store.accept_release(before.store.accept_revision(made, "k1"), 1.0)
    before.store.close()
    after = World(tmp_path, app)
    assert (after.ended("k1").status, after.store.open_runs()) == ("interrupted", ())
    after.platform.stop()


# What runs beside an app ----------------------------------------------------------------------------------------------


def with_worker(task: Task) -> Built:
    others = (("worker", ("python", "worker.py")), ("clock", ("python", "clock.py")), ("migrate", ("python", "m.py")))
    return Built("app", "sha256:app", 9000, processes=others)


def open_runs(world: World) -> list[tuple[str, tuple[str, ...]]]:
    """Return the runs that are not at their end, and are not being ended."""
    return [(one.name, one.config.command) for one in world.store.open_runs() if not one.cancelled]


def test_a_worker_runs_beside_its_app_and_the_rest_are_jobs(make: Make) -> None:
    world = make(with_worker)
    wanted = Request(source=SOURCE, name="shop", change=Change(env=(("A", "1"),)))
    ended = world.deploy_and_wait(wanted)
    assert open_runs(world) == [("shop-worker-1", ("python", "worker.py"))]
    jobs = {one.name: one for one in world.store.jobs()}
    assert {name: one.execution.mode for name, one in jobs.items()} == {
        "shop-worker": "daemon",
        "shop-clock": "daemon",
        "shop-migrate": "task",
    }
    assert {(one.app, one.image, one.config.env) for one in jobs.values()} == {("shop", "sha256:app", (("A", "1"),))}
    said = [one["text"] for one in journal(ended.id) if one.get("name") == "process"]
    assert said[0] == "shop-worker runs: shop-worker-1"
    assert said[1] == "shop-clock is a job: `s2i jobrun submit shop-clock` runs it"


def test_new_settings_reach_the_worker_and_what_is_the_same_runs_on(make: Make) -> None:
    world = make(with_worker)
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert [name for name, _ in open_runs(world)] == ["shop-worker-1"]
    world.deploy_and_wait(Request(name="shop", change=Change(env=(("A", "2"),))))
    assert [name for name, _ in open_runs(world)] == ["shop-worker-2"]
    assert world.store.job("default", "shop-worker").config.env == (("A", "2"),)


def test_a_stopped_app_stops_its_worker_and_a_deleted_one_takes_it_along(make: Make) -> None:
    world = make(with_worker)
    world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    world.platform.set_stopped("default", "shop", stopped=True)
    assert open_runs(world) == []
    world.platform.set_stopped("default", "shop", stopped=False)
    assert [name for name, _ in open_runs(world)] == ["shop-worker-2"]
    world.platform.delete_app("default", "shop")
    assert world.store.jobs() == ()
    assert world.store.open_runs() == ()


def test_a_worker_whose_name_is_taken_is_told_and_stops_no_deployment(make: Make) -> None:
    world = make(lambda task: app(task) if task.request.name == "shop-worker" else with_worker(task))
    world.deploy_and_wait(Request(source=SOURCE, name="shop-worker"))
    ended = world.deploy_and_wait(Request(source=SOURCE, name="shop"))
    assert ended.status == "ready"
    said = [str(one["text"]) for one in journal(ended.id) if one.get("name") == "process"]
    assert said[0].startswith('worker does not run: the name "shop-worker" belongs to an app')


# Jobs ------------------------------------------------------------------------------------------------------------------


def test_a_job_is_made_of_what_looks_like_an_app_and_does_not_run_yet(make: Make) -> None:
    world = make(lambda task: Built("job" if task.request.kind == "job" else "app", "sha256:app", 9000))
    wanted = Request(source=SOURCE, name="report", kind="job", submit=False, execution={"retry_limit": 5}, expect="new")
    ended = world.deploy_and_wait(wanted)
    assert (ended.status, ended.kind, ended.result) == ("ready", "job", "")
    made = world.store.job("default", "report")
    assert (made.execution.retry_limit, made.execution.max_seconds, world.store.runs("default")) == (5, 7200.0, ())
    with pytest.raises(S2IError, match="belongs to a job"):
        world.platform.deployments.begin("default", wanted)
    again = Request(source=SOURCE, name="report", kind="job", submit=False, execution={"array": "0-9"}, expect="there")
    world.deploy_and_wait(again)
    made = world.store.job("default", "report")
    assert (made.execution.retry_limit, made.execution.array) == (5, "0-9")


@pytest.mark.parametrize(
    ("request_", "why"),
    [
        (Request(source=SOURCE, name="x", kind="job", execution={"array": "9-1"}), "runs backwards"),
        (Request(source=SOURCE, name="x", kind="job", execution={"retry_limit": 1000}), "it is not between 0 and 100"),
        (Request(source=SOURCE, name="x", kind="job", execution={"nothing": 1}), "nothing"),
        (Request(source=SOURCE, name="x", kind="job", keep={"runs": 0}), "keep-runs"),
        (Request(source=SOURCE, name="x", kind="job", expect="there"), 'there is no job "x"'),
        (Request(name="x", kind="job"), 'there is no job "x"'),
    ],
)
def test_a_job_that_cannot_be_is_refused_before_anything_is_built(make: Make, request_: Request, why: str) -> None:
    world = make(job)
    with pytest.raises(S2IError) as caught:
        world.platform.deployments.begin("default", request_)
    assert why in str(caught.value)
    assert world.store.deployments() == ()
