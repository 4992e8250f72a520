"""The .dockerignore that is written leaves out what s2i leaves out: for Docker, and for s2i when it reads it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from s2i import sources
from s2i.sources import dockerignore
from s2i.sources.dockermatch import Matcher

KEY = "-----BEGIN PRIVATE KEY-----\n" + "x" * 80
Make = Callable[[dict[str, str]], Path]


@pytest.fixture
def made(tmp_path: Path) -> Make:
    """Write files into a folder and return it."""

    def make(files: dict[str, str]) -> Path:
        root = tmp_path / "source"
        for path, text in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text, newline="")
        return root

    return make


def tree_of(root: Path, subdir: str = "") -> sources.Tree:
    with sources.fetch(sources.parse(str(root), context_dir=subdir), policy=sources.Policy()) as tree:
        return tree


def taken(root: Path, rules: str) -> set[str]:
    """Return the files that Docker takes from a folder."""
    matcher = Matcher(rules.splitlines())
    paths = (path for path in root.rglob("*") if path.is_file() or path.is_symlink())
    return {name for path in paths if not matcher.excludes(name := path.relative_to(root).as_posix())}


def agree(root: Path, subdir: str = "") -> str:
    """Return the rules for a folder, after both have read by them what s2i had read before."""
    tree = tree_of(root, subdir)
    text = dockerignore.text(tree)
    here = root / subdir
    assert taken(here, text) == set(tree.paths())
    (here / ".dockerignore").write_text(text)
    assert set(tree_of(root, subdir).paths()) - {".dockerignore"} == set(tree.paths()) - {".dockerignore"}
    return text


@pytest.mark.parametrize(
    "files",
    [
        {"a.py": "", "__pycache__/a.pyc": "", "deep/.git/config": "", ".venv/x": "", "deep/b.pyc": "", ".DS_Store": ""},
        {"a.py": "", "id_rsa": "", "id_rsa.pub": "", "x/.env": "", ".env.example": "", "x/prod.env": "", ".ENV": ""},
        {"a.py": "", "node_modules/x/.env.example": "", ".s2iignore": "!.env\n!credentials\n", ".venv/.env": "", ".aws/credentials": ""},
        {"a.py": "", ".aws/credentials": "", "home/.config/gcloud/x": "", "Pip.conf": "", "keys/t.pem": KEY, "c.pem": "c"},
        {"a.py": "", ".gitignore": "*.log\nbuild/\n!keep.log\n", "x.log": "", "keep.log": "", "d/build/y": "", "build.py": ""},
        {"a.py": "", ".gitignore": "/data/*\n!/data/keep\n", "data/x": "", "data/keep": "", "deep/data/x": ""},
        {"a.py": "", ".gitignore": "*\r\n!*.py\r\n!*/\r\n", "b/c.py": "", "b/c.txt": "", "README": ""},
        {"a.py": "", ".gitignore": "out\n", "web/.gitignore": "/local\n!out\n", "out": "", "web/out": "", "web/local": "", "local": ""},
        {"a.py": "", ".gitignore": "[!a]x\n\\#y\n\\!z\nsp\\ ace\n", "bx": "", "ax": "", "#y": "", "!z": "", "sp ace": ""},
        {"a.py": "", ".gitignore": "gone/\n!gone/back.txt\n", "gone/back.txt": "", "gone/x": ""},
        {"a.py": "", ".gitignore": "docs/**/*.tmp\na/**\n**/cache\n", "docs/x/y.tmp": "", "docs/z.tmp": "", "a/b/c": "", "x/cache": ""},
        {"a.py": "", ".dockerignore": "*.txt\n!b.txt\nsub\n", "a.txt": "", "b.txt": "", "sub/x": "", "deep/a.txt": ""},
        {"a.py": "", ".dockerignore": "!x.log\n", ".gitignore": "*.log\n", "x.log": "", "y.log": ""},
        {"a.py": "", ".s2iignore": "*.log\n!.env\n", ".gitignore": "*.txt\n", ".env": "", "a.txt": "", "x.log": "", "d/.env": ""},
        {"a.py": "", "env/pyvenv.cfg": "", "env/lib/x.py": "", "empty.py": ""},
        {"a.py": "", "[ab]*": "", "b": "", "we?rd": "", "#c": "", "!d": "", "e\\f": "", "ends ": "", ".gitignore": "[[]ab]*\n"},
        {"a.py": "", "nl\nx.pem": KEY, "x^y.pem": KEY, "a-b.pem": KEY, "[z].pem": KEY},
    ],
    ids=lambda files: " ".join(files)[:40].replace("\n", "|").replace("\\", "|"),
)  # fmt: skip
def test_docker_takes_what_s2i_takes_and_s2i_takes_the_same_again(files: dict[str, str], made: Make) -> None:
    agree(made(files))


def test_rules_above_the_folder_that_is_built_hold_in_it(made: Make) -> None:
    files = {
        ".gitignore": "*.log\n/web/gen\n/other/x\n!web/keep.log\n", "web/a.py": "", "web/gen/x": "", "web/x.log": "",
        "web/keep.log": "", "gen/x": "", "web/deep/y.log": "",
    }  # fmt: skip
    text = agree(made(files), "web")
    assert "/gen" in text.splitlines()
    assert "other" not in text


def test_links_that_lead_out_are_left_out_and_others_are_not(made: Make) -> None:
    root = made({"a.py": "", "lib/b.py": ""})
    (root / "out").symlink_to("/etc/passwd")
    (root / "in.py").symlink_to("a.py")
    (root / "folder").symlink_to("lib")
    tree = tree_of(root)
    lines = dockerignore.text(tree).splitlines()
    assert ("/out" in lines, "/folder" in lines, "/in.py" in lines) == (True, True, False)


def test_a_file_that_is_added_later_is_taken_where_others_are_left_out(made: Make) -> None:
    root = made({"a.py": "", ".gitignore": "*.log\n", "sub/x.log": ""})
    assert not Matcher(dockerignore.text(tree_of(root)).splitlines()).excludes("sub/new.py")


def test_made_twice_it_is_the_same(made: Make) -> None:
    root = made({"a.py": "", ".gitignore": "*.log\n", "t.pem": KEY})
    first = dockerignore.text(tree_of(root))
    (root / ".dockerignore").write_text(first)
    assert dockerignore.text(tree_of(root)) == first


@pytest.mark.parametrize(
    ("rule", "path", "excluded"),
    [
        ("*.txt", "a.txt", True),
        ("*.txt", "d/a.txt", False),
        ("**/*.txt", "a.txt", True),
        ("**/*.txt", "d/e/a.txt", True),
        ("d", "d/e/a.txt", True),
        ("d/", "d/e", True),
        ("/d", "d/e", True),
        ("d/**", "d/e", True),
        ("d/**", "d", False),
        ("?", "é", True),
        ("[^a]", "b", True),
        ("a.b", "aXb", False),
        (r"\*", "*", True),
        (r"\*", "x", False),
        ("# a", "# a", False),
        ("./d/../e", "e", True),
        ("[", "[", False),
    ],
)
def test_a_rule_fits_as_dockers_matcher_says(rule: str, path: str, excluded: bool) -> None:
    assert Matcher([rule]).excludes(path) == excluded


def test_the_last_rule_that_fits_decides_and_it_may_be_of_a_folder_above() -> None:
    rules = Matcher(["d", "!d/keep", "d/keep/not"])
    assert [rules.excludes(path) for path in ("d/x", "d/keep/x", "d/keep/not/x")] == [True, False, True]
