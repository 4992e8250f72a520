"""THREATS T61: what an app or a job was given is in no log, kept or shown, in no event and no error, in any form."""

from __future__ import annotations

import base64
import json
import urllib.parse
from pathlib import Path

import pytest

from s2i import dirs
from s2i.control import kept, release, runs, veil
from s2i.control.logs import Wish, log_of
from s2i.control.subject import Subject
from s2i.control.vault import KEY_FILE
from s2i.engines.docker import output
from s2i.engines.engine import Line, Owner
from s2i.errors import S2IError
from s2i.images.private.redact import Redactor
from s2i.resources import mounts
from s2i.resources.app import Config, Deployment, Revision
from s2i.resources.bundle import Bundle, parse
from s2i.resources.change import Change
from s2i.resources.job import Execution, Job
from s2i.resources.secret import Secret
from tests.control.simulation import IMAGE, Simulation
from tests.engines.test_output import AT, frame

CANARY = 's3cret/"canary"+v'
DATA = CANARY.encode()
FORMS = {
    "raw": CANARY,
    **{f"base64, after {before}": base64.b64encode(b"u" * before + DATA + b"x").decode() for before in range(3)},
    "url": urllib.parse.quote(CANARY, safe=""),
    "json": json.dumps({"value": CANARY}),
    "hex": DATA.hex(),
}
BOTH = Config(env_from=(parse("secret", "db"),))
SHOP = Subject("default", "shop", "instance")
OWNER = Owner("default", "app", "shop", 1, instance="r1-0")


@pytest.fixture
def world(tmp_path: Path) -> Simulation:
    made = Simulation(tmp_path)
    put(made, CANARY)
    return made


def put(world: Simulation, value: str, name: str = "db") -> None:
    there = [one.version for one in world.store.bundles("default", "secret") if one.name == name]
    new = Bundle("default", "secret", name, version=sum(there) + 1)
    world.world.vault.put(new, {"PASSWORD": value.encode()}, world.now)


def deploy(world: Simulation, config: Config = BOTH, **more: object) -> Revision:
    world._ids += 1
    ident = f"v{world._ids}"
    world.store.open_deployment(Deployment(ident, "default", "shop", "src", "building", world.now))
    pinned = world.world.vault.pinned("default", config, force=True)
    made = world.store.accept_revision(Revision("default", "shop", 0, IMAGE, pinned, **more), ident)  # type: ignore[arg-type]
    world.store.change_deployment(ident, status="ready")
    return made


def shown(world: Simulation, subject: Subject = SHOP, **wish: bool) -> str:
    hidden = veil.of(world.world.vault, "default", "report" if subject.role == "task" else "shop")
    return b"".join(log_of(world.engine, subject, Wish(**wish), lambda: True, hidden)).decode()


def left(text: str) -> list[str]:
    """Return which forms of the canary are in a text, or a telling part of one."""
    parts = {name: form.strip('{}"') for name, form in FORMS.items()}
    parts |= {f"{name}, the middle": form[4:-6] for name, form in parts.items() if name.startswith("base64")}
    parts["json"] = json.dumps(CANARY)[1:-1]
    return [name for name, form in parts.items() if form in text]


def on_disk() -> str:
    return "".join(
        path.read_bytes().decode("utf-8", "replace")
        for path in dirs.state().rglob("*")
        if path.suffix in (".log", ".part")
    )


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("newline", ["\n", ""])
def test_no_form_is_left_however_a_line_is_written(form: str, newline: str) -> None:
    hidden, text = veil.Veil(Redactor([Secret("db:PASSWORD", DATA)], mask=veil.MASK)), f"before {form} after{newline}"
    for at in range(len(text)):
        parts = [part.encode() for part in (text[:at], text[at:]) if part]
        stream = [frame(parts[0]), frame(b"the other stream\n", stream=2), *map(frame, parts[1:])]
        lines = list(hidden.again().lines(output.lines(output.frames(stream))))
        said = b"\n".join(line.text for line in lines).decode()
        assert (left(said), veil.MASK in said, "the other stream" in said) == ([], True, True)


def test_what_is_cut_off_in_the_middle_of_a_secret_shows_neither_half() -> None:
    for at in range(3, len(CANARY) - 2):
        hidden = veil.Veil(Redactor([Secret("a", DATA)], mask=veil.MASK))
        parts = (
            Line(AT, b"x " + DATA[:at], cut=True),
            Line(AT, b"other", 2),
            Line(AT, DATA[at:] + b" y"),
            Line(AT, DATA[at:] + b" z"),
        )
        assert [line.text for line in hidden.lines(parts)][:3] == [b"x ***", b"other", b"*** y"]


def test_bytes_that_are_no_text_are_hidden_and_left_as_they_are() -> None:
    hidden = veil.Veil(Redactor([Secret("a", b"\xff\xfe\x00binary")], mask=veil.MASK))
    (line,) = hidden.lines([Line(AT, b"\xfd \xff\xfe\x00binary \xfc")])
    assert line.text == b"\xfd *** \xfc"


@pytest.mark.parametrize("config", [BOTH, Config(mounts=(mounts.parse("secret", "/run/shop=db"),))])
def test_the_log_of_an_app_shows_none_and_none_is_kept(world: Simulation, config: Config) -> None:
    deploy(world, config)
    world.settle()
    for form in FORMS.values():
        world.engine.say(OWNER, f"it is {form} here".encode())
    said = shown(world)
    assert (left(said), said.count("***")) == ([], len(FORMS))
    world.engine.exit(OWNER, 1)
    world.settle()
    assert kept.of_app("default", "shop").every()
    assert (left(on_disk()), on_disk().count("***")) == ([], len(FORMS))
    assert left(shown(world, previous=True)) == []


def test_what_was_kept_before_is_hidden_when_it_is_shown(world: Simulation) -> None:
    deploy(world)
    kept.of_app("default", "shop").keep("r1-0", "c" * 64, [Line(AT, DATA)])
    assert left(shown(world, previous=True)) == []


def test_a_log_that_is_followed_shows_none(world: Simulation) -> None:
    deploy(world)
    world.settle()
    world.engine.say(OWNER, b"first " + DATA)
    hidden = veil.of(world.world.vault, "default", "shop")
    lines = log_of(world.engine, SHOP, Wish(follow=True), lambda: True, hidden)
    said = b""
    while said.count(b'"line"') < 3:
        said += next(lines)
        if b"first" in said and b"second" not in said:
            world.engine.say(OWNER, b"second " + DATA)
            world.engine.say(OWNER, base64.b64encode(DATA))
    lines.close()
    assert (left(said.decode()), said.count(b"***")) == ([], 3)


def test_a_revision_that_fails_quotes_none(world: Simulation) -> None:
    deploy(world)
    world.step()
    for _ in range(8):
        if any(one.role == "instance" and one.state == "running" for one in world.engine.containers.values()):
            world.engine.say(OWNER, b"KeyError: " + DATA)
            world.engine.exit(OWNER, 1)
        world.step()
        world.now += 5
    revision = world.store.revision("default", "shop", 1)
    told = [one.text for one in world.store.events("default", "shop")]
    assert "***" in revision.reason
    assert left("".join((revision.reason, world.store.app("default", "shop").reason, *told))) == []


def test_a_release_command_that_fails_quotes_none(world: Simulation) -> None:
    made = deploy(world, release=("migrate",), held=True)
    owner = Owner("default", "job", "shop", run="shop-1", instance="0-0")

    def pause() -> None:
        world.step()
        if any(one.owner == owner and one.state == "running" for one in world.engine.containers.values()):
            for form in FORMS.values():
                world.engine.say(owner, form.encode())
            world.engine.exit(owner, 1)

    with pytest.raises(S2IError) as caught:
        release.run(world.world, made, lambda *_: None, pause, 30)
    assert "***" in caught.value.message
    assert left(json.dumps(caught.value.as_dict()) + on_disk()) == []


def test_a_run_of_a_job_shows_none_also_of_what_has_changed_since_it_began(world: Simulation) -> None:
    config = Config(env=(("A", "1"),))
    world.store.accept_job(
        Job("default", "report", IMAGE, config, execution=Execution(retry_limit=0)), "", world.now, None
    )
    wish = runs.Wish(change=Change(env_from=(parse("secret", "db"),)))  # of this run alone
    run = runs.submit(world.world, "default", "report", wish)
    world.step()
    put(world, "another-value")
    world.world.vault.tidy("default", "secret", "db")
    for text in (*FORMS.values(), "another-value"):
        world.engine.say(world.owner(run), text.encode())
    subject = Subject("default", run.name, "task")
    said = shown(world, subject)
    world.engine.exit(world.owner(run), 1)
    world.settle()
    said += shown(world, subject) + on_disk()
    assert (left(said), "another-value" in said, said.count("***")) == ([], False, 3 * (len(FORMS) + 1))
    world.world.vault.tidy("default", "secret", "db")
    assert [bool(world.store.sealed("default", "secret", "db", version)) for version in (1, 2)] == [False, True]


def test_who_was_given_nothing_is_left_alone_and_short_values_are(world: Simulation) -> None:
    put(world, "12345", "pin")
    deploy(world, Config(env_from=(parse("secret", "pin:PIN=PASSWORD"),)))
    world.settle()
    world.engine.say(OWNER, b"12345 " + DATA)
    assert CANARY in json.loads(shown(world).splitlines()[-1])["line"]
    assert veil.of(world.world.vault, "default", "shop").line(Line(AT, b"12345")).text == b"12345"


def test_of_what_is_not_known_any_more_all_secrets_of_its_project_are_hidden(world: Simulation) -> None:
    hidden = veil.of(world.world.vault, "default", "gone")
    assert hidden.text(f"a {CANARY}") == "a ***"
    assert veil.of(world.world.vault, "other", "gone").text(CANARY) == CANARY


def test_without_the_key_nothing_is_shown_but_why(world: Simulation) -> None:
    deploy(world)
    world.settle()
    world.engine.say(OWNER, DATA)
    (dirs.state() / KEY_FILE).unlink()
    said = shown(world)
    assert (left(said), "the secrets cannot be opened" in said) == ([], True)
