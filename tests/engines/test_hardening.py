from __future__ import annotations

import ast
from pathlib import Path

import msgspec

import s2i
from s2i.engines.docker.hardening import Declared, container_settings
from s2i.engines.engine import Owner, Workload
from s2i.resources import labels
from s2i.resources.app import Config
from s2i.resources.volume import VolumeMount

PACKAGE = Path(s2i.__file__).parent
APP = Owner("shop", "app", "web", 3, instance="r3-0")
TASK = Owner("shop", "job", "report", run="report-7", instance="0")
CONFIG = Config(env=(("A", "1"), ("PORT", "1"), ("A", "2")), cpu=0.5, memory=64 << 20, port=9000, command=("run", "it"))


def test_the_settings_of_an_instance() -> None:
    work = Workload(APP, "sha256:app", CONFIG)
    actual = container_settings(
        "instance",
        work,
        server="one",
        image="sha256:app",
        network="container:box",
        declared=Declared(volumes=("/data",)),
    )
    scratch = "rw,noexec,nosuid,nodev,mode=1777,size=33554432"
    assert actual == {
        "Image": "sha256:app",
        "User": "1001:0",
        "Env": ["A=2", "PORT=9000", "HOME=/tmp"],
        "Labels": {
            "s2i.server": "one",
            "s2i.project": "shop",
            "s2i.role": "instance",
            "s2i.app": "web",
            "s2i.revision": "3",
            "s2i.instance": "r3-0",
            "s2i.port": "9000",
        },
        "StopSignal": "SIGTERM",
        "Healthcheck": {"Test": ["NONE"]},
        "Entrypoint": [],
        "Cmd": ["run", "it"],
        "HostConfig": {
            "Init": True,
            "ReadonlyRootfs": True,
            "Tmpfs": {"/tmp": scratch, "/data": scratch},
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges"],
            "PidsLimit": 256,
            "Memory": 64 << 20,
            "MemorySwap": 64 << 20,
            "NanoCpus": 500_000_000,
            "Ulimits": [
                {"Name": "nofile", "Soft": 16384, "Hard": 16384},
                {"Name": "core", "Soft": 0, "Hard": 0},
            ],
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "10m", "max-file": "2"}},
            "RestartPolicy": {"Name": "no"},
            "NetworkMode": "container:box",
            "IpcMode": "private",
        },
    }


def test_a_sandbox_gets_nothing_of_the_app_but_its_name() -> None:
    work = Workload(APP, "sha256:app", CONFIG)
    actual = container_settings("sandbox", work, server="one", image="small", network="net")
    assert actual["Env"] == []
    assert (actual["Entrypoint"], actual["Cmd"]) == (["sleep"], ["infinity"])
    assert actual["Hostname"] == "web-r3-0"
    assert actual["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": ["r3-0.web", "web-r3-0"]}}}
    assert actual["HostConfig"]["Memory"] == 16 << 20


def test_a_container_with_a_name_of_its_own_is_reached_by_that() -> None:
    for work, names in ((Workload(TASK, "i", CONFIG, "db"), ["db"]), (Workload(TASK, "i", CONFIG), [])):
        made = container_settings("task", work, server="one", image="i", network="net")
        assert made["NetworkingConfig"] == {"EndpointsConfig": {"net": {"Aliases": [*names, "report-7-0"]}}}


def test_a_task_is_confined_like_an_instance() -> None:
    instance = container_settings("instance", Workload(APP, "i", CONFIG), server="one", image="i", network="net")
    task = container_settings("task", Workload(TASK, "i", CONFIG), server="one", image="i", network="net")
    assert task["HostConfig"] == instance["HostConfig"]
    assert task["User"] == instance["User"]
    assert (task["Labels"]["s2i.job"], task["Labels"]["s2i.run"]) == ("report", "report-7")


def test_no_label_of_an_image_can_pass_for_one_of_the_container() -> None:
    """A container inherits its image's labels: each of ours that an image has is set, on every kind of container."""
    of_images = {labels.BUILD, labels.BASE, labels.PLAN, labels.VERSION, labels.READER, labels.VOLUME}
    every = {value for name, value in vars(labels).items() if name.isupper() and isinstance(value, str)}
    ours = every - of_images
    declared = Declared(labels=(*ours, "mine"))
    for role, owner in (("instance", APP), ("sandbox", APP), ("task", TASK)):
        work = Workload(owner, "i", CONFIG)
        made = container_settings(role, work, server="one", image="i", network="net", declared=declared)
        assert made["Labels"].keys() == ours
        assert bool(made["Labels"][labels.APP]) != bool(made["Labels"][labels.JOB])


def test_a_host_name_is_at_most_63_characters_long() -> None:
    owner = Owner("shop", "app", "a" * 63, 12, instance="r12-0")
    actual = container_settings("sandbox", Workload(owner, "i", CONFIG), server="one", image="i", network="net")
    assert len(actual["Hostname"]) == 63
    assert actual["Hostname"].endswith("-r12-0")


def test_a_volume_is_a_name_of_ours_and_never_a_path_or_an_option_of_a_driver() -> None:
    """THREATS T42, T43."""
    config = msgspec.structs.replace(CONFIG, volumes=(VolumeMount("data", "/data"),))
    for role, owner in (("instance", APP), ("task", TASK)):
        made = container_settings(role, Workload(owner, "i", config), server="one", image="i", network="net")
        assert made["HostConfig"]["Mounts"] == [
            {
                "Type": "volume",
                "Source": "s2i-one.shop.data",
                "Target": "/data",
                "VolumeOptions": {
                    "NoCopy": True,
                    "Labels": {"s2i.server": "one", "s2i.project": "shop", "s2i.volume": "data"},
                },
            }
        ]
        assert list(made["HostConfig"]["Tmpfs"]) == ["/tmp"]


def test_neither_a_sandbox_nor_a_proof_sees_a_volume_and_a_proof_can_write_in_its_place() -> None:
    config = msgspec.structs.replace(CONFIG, volumes=(VolumeMount("data", "/data"),))
    for role, places in (("sandbox", ["/tmp"]), ("proof", ["/tmp", "/data"])):
        made = container_settings(role, Workload(APP, "i", config), server="one", image="i", network="none")
        assert "Mounts" not in made["HostConfig"]
        assert list(made["HostConfig"]["Tmpfs"]) == places


def test_one_place_creates_containers() -> None:
    """THREATS T43: whatever is asked for, by whichever verb, goes through container_settings."""
    makers = {"create_container", "create_container_from_config", "create_host_config", "create_service"}
    calls = [
        (path.relative_to(PACKAGE).as_posix(), node.func.attr)
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
        if node.func.attr in makers or _on_containers(node.func)
    ]
    # The second is never started: files are read from it.
    reader = "images/carried/contents.py"
    assert sorted(calls) == [("engines/docker/engine.py", "create_container_from_config"), (reader, "create_container")]
    text = (PACKAGE / reader).read_text()
    assert [word for word in (".start(", ".exec", ".attach(", ".restart(") if word in text] == []


def test_the_container_that_gives_volumes_away_is_never_started() -> None:
    """THREATS T43: it is made beside container_settings, since the root of that has to be written to."""
    makers = [
        path.relative_to(PACKAGE).as_posix()
        for path in sorted(PACKAGE.rglob("*.py"))
        if '"/containers/create"' in path.read_text()
    ]
    giver = "engines/docker/volumes.py"
    assert makers == ["engines/docker/trial.py", giver]  # the first by container_settings
    text = (PACKAGE / giver).read_text()
    assert [word for word in ("/start", "/exec", "/attach", "/restart", "Binds", "bind") if word in text] == []


def _on_containers(function: ast.Attribute) -> bool:
    """Say whether this is ``client.containers.run`` or ``.create``."""
    on = function.value
    return function.attr in ("run", "create") and isinstance(on, ast.Attribute) and on.attr == "containers"
