"""What the documents say exists: make targets, commands, options, files."""

import re
import shlex
from pathlib import Path
from typing import get_args, get_type_hints

import click
import pytest

from s2i.cli import COMMANDS, cli
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
ROWS = ["F01-F20", "F24", "F25", "F34", "F37", "T41-T50", "T52", "T58", "T63"]


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
