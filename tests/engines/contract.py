"""What every Engine does: run by the fake (tests/engines) and by real engines (tests/live)."""

from __future__ import annotations

import concurrent.futures
import ipaddress
import re
import threading
from collections.abc import Callable
from typing import Protocol

import msgspec
import pytest

from s2i.engines.engine import Engine, Line, Observed, Owner, Workload
from s2i.errors import S2IError
from s2i.resources.app import Config
from s2i.resources.volume import VolumeMount

APP = Owner("shop", "app", "web", 1, instance="r1-0")
TASK = Owner("shop", "job", "report", run="report-1", instance="0")


class Subject(Protocol):
    """An engine with nothing on it, and what a test does to its containers from outside.

    ``image`` and ``command`` print "hello", then run until ``finish`` ends them with status 3. ``kept``: what was handed
    to the engine's Keep.
    """

    engine: Engine
    image: str
    command: tuple[str, ...]
    kept: list[tuple[Owner, str, list[Line]]]

    def finish(self, owner: Owner) -> None: ...

    def lose_sandbox(self, owner: Owner) -> None: ...

    def eventually(self, condition: Callable[[], bool]) -> None: ...


class EngineContract:
    """Subclasses give the fixture ``subject``."""

    @pytest.fixture
    def subject(self) -> Subject:
        raise NotImplementedError

    @pytest.fixture
    def engine(self, subject: Subject) -> Engine:
        return subject.engine

    def work(self, subject: Subject, owner: Owner) -> Workload:
        return Workload(owner, subject.image, Config(command=subject.command, memory=64 << 20))

    def test_an_engine_says_what_it_is(self, engine: Engine) -> None:
        info = engine.info()
        assert info.name
        assert info.version

    def test_an_empty_engine_has_nothing_of_ours(self, engine: Engine) -> None:
        assert engine.observe() == ()

    def test_an_instance_runs_in_a_sandbox_that_has_its_address(self, subject: Subject, engine: Engine) -> None:
        address = engine.start_instance(self.work(subject, APP))
        instance, box = engine.observe()
        assert (instance.role, instance.owner, instance.state, instance.address) == ("instance", APP, "running", "")
        assert ("sandbox", APP, "running", address) == (box.role, box.owner, box.state, box.address)
        assert address.endswith(":8080")

    def test_starting_an_instance_twice_changes_nothing(self, subject: Subject, engine: Engine) -> None:
        first = engine.start_instance(self.work(subject, APP))
        before = _ids(engine)
        assert first == engine.start_instance(self.work(subject, APP))
        assert before == _ids(engine)

    def test_an_instance_that_exited_starts_anew_at_the_same_address(self, subject: Subject, engine: Engine) -> None:
        first = engine.start_instance(self.work(subject, APP))
        subject.finish(APP)
        subject.eventually(lambda: self.one(engine, APP, "instance").exit == 3)
        assert first == engine.start_instance(self.work(subject, APP))
        assert self.one(engine, APP, "instance").state == "running"

    def test_an_instance_that_lost_its_sandbox_counts_as_exited(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        subject.lose_sandbox(APP)
        subject.eventually(lambda: self.one(engine, APP, "instance").state == "exited")

    def test_both_are_made_anew_when_the_sandbox_was_lost(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        before = _ids(engine)
        subject.lose_sandbox(APP)
        address = engine.start_instance(self.work(subject, APP))
        assert set() == before & _ids(engine)
        assert address == self.one(engine, APP, "sandbox").address
        assert self.one(engine, APP, "instance").state == "running"

    def test_an_instance_starts_in_the_sandbox_that_is_there(self, subject: Subject, engine: Engine) -> None:
        engine.start_sandbox(self.work(subject, APP))
        engine.start_sandbox(self.work(subject, APP))
        (box,) = engine.observe()
        assert ("sandbox", "running") == (box.role, box.state)
        assert box.address == engine.start_instance(self.work(subject, APP))
        assert box.id == self.one(engine, APP, "sandbox").id

    def test_a_sandbox_of_another_port_is_made_anew(self, subject: Subject, engine: Engine) -> None:
        work = self.work(subject, APP)
        other = msgspec.structs.replace(work, config=msgspec.structs.replace(work.config, port=4711))
        engine.start_sandbox(other)
        assert not engine.start_instance(work).endswith(":4711")
        assert ["instance", "sandbox"] == sorted(one.role for one in engine.observe())

    def test_a_parked_instance_waits_in_its_sandbox_and_is_started_there(
        self, subject: Subject, engine: Engine
    ) -> None:
        address = engine.start_instance(self.work(subject, APP))
        first, box = self.one(engine, APP, "instance"), self.one(engine, APP, "sandbox")
        engine.park(self.work(subject, APP), 0)
        parked = self.one(engine, APP, "instance")
        assert (parked.state, parked.id == first.id) == ("created", False)
        engine.park(self.work(subject, APP), 0)
        assert self.one(engine, APP, "instance").id == parked.id
        assert address == engine.start_instance(self.work(subject, APP))
        started = self.one(engine, APP, "instance")
        assert (started.id, started.state) == (parked.id, "running")
        assert self.one(engine, APP, "sandbox").id == box.id

    def test_an_instance_that_is_parked_without_a_sandbox_is_gone(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        subject.lose_sandbox(APP)
        engine.park(self.work(subject, APP), 0)
        assert [one.role for one in engine.observe() if one.role == "instance"] == []
        engine.start_instance(self.work(subject, APP))
        assert self.one(engine, APP, "instance").state == "running"

    def test_instances_that_start_at_once_share_one_network(self, subject: Subject, engine: Engine) -> None:
        owners = [msgspec.structs.replace(APP, instance=f"r1-{number}") for number in range(4)]
        with concurrent.futures.ThreadPoolExecutor(len(owners)) as pool:
            addresses = list(pool.map(lambda owner: engine.start_instance(self.work(subject, owner)), owners))
        assert len(set(addresses)) == len(owners)
        assert {one.state for one in engine.observe()} == {"running"}

    def test_two_instances_have_two_addresses(self, subject: Subject, engine: Engine) -> None:
        second = msgspec.structs.replace(APP, number=2, instance="r2-0")
        assert engine.start_instance(self.work(subject, APP)) != engine.start_instance(self.work(subject, second))
        assert len(engine.observe()) == 4

    def test_stopping_leaves_neither_instance_nor_sandbox(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        engine.stop(APP, 0)
        assert engine.observe() == ()

    def test_stopping_what_is_not_there_is_no_error(self, engine: Engine) -> None:
        engine.stop(APP, 0)
        engine.stop(TASK, 0)

    def test_a_task_ends_with_its_status(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        subject.finish(TASK)
        subject.eventually(lambda: self.one(engine, TASK, "task").state == "exited")
        task = self.one(engine, TASK, "task")
        assert (task.owner, task.exit, task.oom) == (TASK, 3, False)

    def test_a_task_that_ended_is_not_run_again(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        subject.finish(TASK)
        subject.eventually(lambda: self.one(engine, TASK, "task").state == "exited")
        before = _ids(engine)
        engine.start_task(self.work(subject, TASK))
        assert before == _ids(engine)
        assert self.one(engine, TASK, "task").state == "exited"

    def test_logs_are_lines(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        task = self.one(engine, TASK, "task").id
        subject.eventually(lambda: said(engine, task) == [b"hello"])
        assert list(engine.logs(task, tail=0)) == []

    def test_followed_logs_end_with_the_container(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        task = self.one(engine, TASK, "task").id
        subject.eventually(lambda: said(engine, task) == [b"hello"])
        subject.finish(TASK)
        assert said(engine, task, follow=True) == [b"hello"]

    def test_logs_can_be_taken_up_where_they_were_left(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        task = self.one(engine, TASK, "task").id
        subject.eventually(lambda: said(engine, task) == [b"hello"])
        (line,) = engine.logs(task)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z", line.at)
        assert list(engine.logs(task, since=line.at)) == [line]
        assert list(engine.logs(task, since=f"{int(line.at[:4]) + 1}{line.at[4:]}")) == []

    def test_followed_logs_can_be_ended(self, subject: Subject, engine: Engine) -> None:
        engine.start_task(self.work(subject, TASK))
        lines = engine.logs(self.one(engine, TASK, "task").id, follow=True)
        found = []
        for line in lines:
            found.append(line.text)
            threading.Timer(0.2, lines.close).start()
        assert found == [b"hello"]

    @pytest.mark.parametrize("how", ["stopped", "parked", "started anew"])
    def test_what_an_instance_wrote_is_kept_before_its_container_goes(
        self, subject: Subject, engine: Engine, how: str
    ) -> None:
        engine.start_instance(self.work(subject, APP))
        instance = self.one(engine, APP, "instance").id
        subject.eventually(lambda: said(engine, instance) == [b"hello"])
        match how:
            case "stopped":
                engine.stop(APP, 0)
            case "parked":
                engine.park(self.work(subject, APP), 0)
            case _:
                subject.finish(APP)
                subject.eventually(lambda: self.one(engine, APP, "instance").state == "exited")
                engine.start_instance(self.work(subject, APP))
        ((owner, container, lines),) = subject.kept
        assert (owner, container, [line.text for line in lines]) == (APP, instance, [b"hello"])
        assert said(engine, instance) == []

    def test_what_never_ran_has_nothing_to_keep(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        engine.park(self.work(subject, APP), 0)
        subject.kept.clear()
        engine.stop(APP, 0)
        assert subject.kept == []

    def test_logs_of_what_is_gone_are_empty(self, engine: Engine) -> None:
        assert list(engine.logs("0" * 64)) == []

    def test_removing_by_id_leaves_the_others(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        engine.start_task(self.work(subject, TASK))
        engine.remove(self.one(engine, TASK, "task").id)
        engine.remove("0" * 64)
        assert {"instance", "sandbox"} == {one.role for one in engine.observe()}

    def test_what_is_ended_is_seen_to_have_ended(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        engine.end(self.one(engine, APP, "instance").id, 5)
        engine.end("0" * 64, 5)
        ended = self.one(engine, APP, "instance")
        assert (ended.state, ended.exit is not None) == ("exited", True)
        assert self.one(engine, APP, "sandbox").state == "running"
        engine.start_instance(self.work(subject, APP))
        assert self.one(engine, APP, "instance").state == "running"

    def test_an_image_that_is_gone_is_named(self, subject: Subject, engine: Engine) -> None:
        gone = "sha256:" + "0" * 64
        assert not engine.image_exists(gone)
        assert engine.image_exists(subject.image)
        for start in (engine.start_instance, engine.start_task):
            owner = APP if start == engine.start_instance else TASK
            with pytest.raises(S2IError, match=gone) as caught:
                start(Workload(owner, gone, Config()))
            assert caught.value.code == "E_IMAGE_GONE"
        assert engine.observe() == ()

    def test_removing_a_project_leaves_the_others(self, subject: Subject, engine: Engine) -> None:
        elsewhere = msgspec.structs.replace(APP, project="bank")
        engine.start_instance(self.work(subject, APP))
        engine.start_instance(self.work(subject, elsewhere))
        engine.remove_project("shop")
        assert {one.owner for one in engine.observe()} == {elsewhere}
        assert engine.remove_all()["networks"] == 1

    def test_a_project_has_a_subnet_of_its_own_in_which_its_instances_are(
        self, subject: Subject, engine: Engine
    ) -> None:
        assert engine.subnets("shop") == ()
        address = engine.start_instance(self.work(subject, APP))
        engine.start_instance(self.work(subject, msgspec.structs.replace(APP, project="bank")))
        network, *ours = engine.subnets("shop")
        assert ipaddress.ip_address(address.partition(":")[0]) in ipaddress.ip_network(network)
        assert all(ipaddress.ip_address(one.removeprefix("!")) in ipaddress.ip_network(network) for one in ours)
        assert not {network, *ours} & set(engine.subnets("bank"))

    def test_neighbours_may_be_named_before_there_is_a_network_and_while_it_is_there(
        self, subject: Subject, engine: Engine
    ) -> None:
        engine.introduce("shop", ("web", "api"))
        engine.start_instance(self.work(subject, APP))
        engine.introduce("shop", ("api",))
        engine.introduce("shop", ())
        engine.remove_project("shop")
        engine.introduce("shop", ("web",))

    def test_a_project_that_has_built_nothing_takes_no_disk(self, engine: Engine) -> None:
        assert engine.disk("shop") == 0

    def test_a_volume_stays_until_it_is_removed_by_its_name(self, subject: Subject, engine: Engine) -> None:
        engine.make_volume("shop", "data")
        engine.make_volume("shop", "data")
        engine.make_volume("bank", "data")
        engine.start_task(with_volume(self.work(subject, TASK)))
        with pytest.raises(S2IError) as caught:
            engine.remove_volume("shop", "data")
        assert caught.value.code == "E_VOLUME_USED"
        engine.remove_project("shop")
        engine.remove_all()
        assert list(engine.volume_sizes("shop")) == list(engine.volume_sizes("bank")) == ["data"]
        engine.remove_volume("shop", "data")
        engine.remove_volume("shop", "data")
        assert (list(engine.volume_sizes("shop")), list(engine.volume_sizes("bank"))) == ([], ["data"])

    def test_a_file_is_put_onto_a_volume_and_a_program_beside_what_runs_reads_it(
        self, subject: Subject, engine: Engine
    ) -> None:
        engine.make_volume("shop", "data")
        engine.start_task(with_volume(self.work(subject, TASK)))
        task = self.one(engine, TASK, "task").id
        engine.put_file(task, "/data", "it", 6, iter((b"hel", b"lo\n")))
        written: list[bytes] = []
        assert engine.run_in(task, ("sh", "-c", "cat /data/it"), written.append)[0] == 0
        assert b"".join(written) == b"hello\n"
        code, said = engine.run_in(task, ("sh", "-c", "echo no >&2; exit 4"), written.append)
        assert (code, said) == (4, "no\n")
        engine.remove_all(volumes=True)

    def test_volumes_go_with_their_project_and_with_everything_where_that_is_said(
        self, subject: Subject, engine: Engine
    ) -> None:
        for project in ("shop", "bank"):
            engine.make_volume(project, "data")
        engine.remove_project("shop", volumes=True)
        assert (list(engine.volume_sizes("shop")), list(engine.volume_sizes("bank"))) == ([], ["data"])
        assert engine.remove_all(volumes=True)["volumes"] == 1
        assert list(engine.volume_sizes("bank")) == []

    def test_removing_everything_leaves_nothing(self, subject: Subject, engine: Engine) -> None:
        engine.start_instance(self.work(subject, APP))
        engine.start_task(self.work(subject, TASK))
        gone = engine.remove_all()
        assert (gone["containers"], gone["networks"]) == (3, 1)
        assert engine.observe() == ()
        assert engine.remove_all() == {"containers": 0, "networks": 0, "images": 0}

    def one(self, engine: Engine, owner: Owner, role: str) -> Observed:
        (found,) = (one for one in engine.observe() if (one.owner, one.role) == (owner, role))
        return found


def with_volume(work: Workload) -> Workload:
    """Return ``work`` with the volume "data" at /data."""
    return msgspec.structs.replace(
        work, config=msgspec.structs.replace(work.config, volumes=(VolumeMount("data", "/data"),))
    )


def _ids(engine: Engine) -> set[str]:
    return {one.id for one in engine.observe()}


def said(engine: Engine, container: str, *, follow: bool = False) -> list[bytes]:
    """Return the lines that a container wrote."""
    return [line.text for line in engine.logs(container, follow=follow)]
