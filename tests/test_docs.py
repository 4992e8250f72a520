"""What the documents say exists: make targets, commands, options, files."""

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import get_args, get_type_hints

import click
import pytest

from s2i.cli import COMMANDS, cli
from s2i.control.store.database import missing
from s2i.images.events import StepEvent

ROOT = Path(__file__).parent.parent
SCHEMA_WORDS = {"object", "string", "array", "boolean", "integer"}  # types of JSON Schema
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """Return every `s2i ...` line of the documents' code blocks."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    blocks = re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return sorted({line.split("$ ")[-1] for line in lines if re.search(r"^(\$ )?(sudo )?s2i ", line)})


def test_the_make_targets_that_are_named_exist() -> None:
    named = {
        word
        for path in DOCUMENTS
        for run in re.findall(r"\bmake ((?:[a-z-]+ ?)+)", _code(path))
        for word in run.split()
    }
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert named - targets == set()
    assert {"demo", "test", "setup"} <= named


@pytest.mark.parametrize("line", commands())
def test_a_command_that_is_shown_exists_with_its_options(line: str) -> None:
    words = shlex.split(line, comments=True)
    words = words[words.index("s2i") + 1 :]
    command: click.Command = cli
    context = click.Context(cli)
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, f"there is no `{words[0]}`"
        command, words = found, words[1:]
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    assert {word.split("=")[0] for word in words if word.startswith("-")} - known == set()


# What stands in place of a word of a command in a text, and every word that it can be.
PLACES = {
    "{kind}": ("secret", "configmap"),
    "{what} list": ("app", "job", "jobrun", "domain", "secret", "configmap"),  # what E_NOT_FOUND is raised about
    "{what} update": ("app", "job"),
}


def test_a_command_that_a_text_of_the_program_names_exists_with_its_options() -> None:
    sources = [path for folder in ("s2i", "buildpacks") for path in (ROOT / folder).rglob("*")]
    texts = [text for path in sources for text in _texts(path)]
    given = {found for text in texts for found in re.findall(r"`(?:sudo )?s2i ([^`]+)`", text)}
    asked_for = re.findall(
        r'\bcommand="([a-z ]+)"', "\n".join(path.read_text() for path in sources if path.suffix == ".py")
    )
    places = {**PLACES, "{command}": tuple(asked_for)}
    named = {line for one in given for line in _filled(one, places)}
    assert len(named) > 100
    assert {line: why for line in sorted(named) if (why := _why_not(line))} == {}


def test_what_is_not_there_is_listed_by_a_command_that_is_there() -> None:
    for what in ("app", "job", "jobrun", "deployment", "secret", "configmap"):
        (line,) = re.findall(r"`s2i (.*?)`", missing(what, "x", "default").advice)
        assert _why_not(line) == "", line


def _texts(path: Path) -> Iterator[str]:
    """Yield the texts of a module or a table; {} for what is put into one, but for a name of PLACES."""
    if path.suffix == ".toml":
        yield path.read_text()
    elif path.suffix == ".py":
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    part.value if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"  # type: ignore[attr-defined]
                    for part in node.values
                )
                yield "".join(str(part) for part in parts)


def _filled(line: str, places: dict[str, tuple[str, ...]]) -> list[str]:
    """Return the command lines that a text can mean: `app stop|start`, `{kind} list`."""
    first, _, rest = line.partition(" ")
    second, _, more = rest.partition(" ")
    seconds = second.split("|") if re.fullmatch(r"[a-z|-]+", second) else [second]
    firsts = places.get(first) or places.get(f"{first} {second}") or (first,)
    return [f"{one} {two} {more}".strip() for one in firsts for two in seconds]


def _why_not(line: str) -> str:
    """Return what is wrong with a command line, "" for nothing. Its arguments are not looked at."""
    words, command, context = line.split(), cli, click.Context(cli)
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(context, words[0])
        if found is None:
            return f"there is no {words[0]}"
        command, words = found, words[1:]
    known = {name for option in command.get_params(context) for name in (*option.opts, *option.secondary_opts)}
    named = {word.split("=")[0] for word in words if re.match(r"--?[a-z]", word)} - {"-h", "--help"}
    # A part of a name that is filled in later stands for some of those that there are.
    unknown = {one for one in named if not any(map(re.compile(re.sub(r"{\w+}", "[a-z]+", one)).fullmatch, known))}
    return f"it has no {', '.join(sorted(unknown))}" if unknown else ""


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_a_link_to_a_file_leads_to_one(path: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", path.read_text())
    assert [link for link in links if not (path.parent / link).exists()] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_a_help_text_with_an_example(name: str) -> None:
    command = cli.get_command(click.Context(cli), name)
    assert command is not None
    leaves = list(command.commands.values()) if isinstance(command, click.Group) else [command]
    assert [leaf.name for leaf in leaves if "s2i " not in (leaf.help or "") + (leaf.epilog or "")] == []


def test_the_events_of_a_build_are_documented_as_they_are() -> None:
    text = (ROOT / "docs" / "build-runs.md").read_text().partition("## Events")[2].partition("## Limits")[0]
    types, statuses = (re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) for part in text.split("`status` of a step"))
    assert sorted(statuses) == sorted(get_args(get_type_hints(StepEvent)["status"]))
    # What is written with a type anywhere in the program.
    written = {
        word for path in (ROOT / "s2i").rglob("*.py") for word in re.findall(r'"type": "(\w+)"', path.read_text())
    }
    assert sorted(types) == sorted(written - SCHEMA_WORDS)


def _code(path: Path) -> str:
    """Return what stands in code blocks and between backticks, less comments: prose may say "make sure"."""
    parts = re.findall(r"```\w*\n(.*?)```|`([^`\n]+)`", path.read_text(), re.DOTALL)
    return "\n".join(re.sub(r"#.*", "", block or word) for block, word in parts)


# The faults and threats of running apps: numbers as they are known by.
ROWS = [
    *("F01-F21", "F24", "F25", "F34", "F37", "F38"),
    *("T41-T50", "T52-T54", "T58", "T60", "T61", "T63", "T67", "T70", "T71"),
]


def test_every_fault_and_threat_has_a_row_and_every_test_that_is_named_exists() -> None:
    page = (ROOT / "docs" / "faults.md").read_text()
    rows = set(re.findall(r"^\| ([FT]\d\d) \|", page, re.MULTILINE))
    wanted = set()
    for part in ROWS:
        first, _, last = part.partition("-")
        numbers = range(int(first[1:]), int((last or first)[1:]) + 1)
        wanted |= {f"{first[0]}{number:02}" for number in numbers}
    assert wanted - rows == set()
    named = re.findall(r"`(tests/\S+\.py)::(\w+)`", page)
    assert len(named) > 30
    for path, name in named:
        assert re.search(rf"def {name}\(", (ROOT / path).read_text()), f"{path}::{name}"
