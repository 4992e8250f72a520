"""Rules of ignore files match what pathspec's own do, in bounded time."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pathspec import GitIgnoreSpec

from s2i.errors import S2IError
from s2i.sources import globs, ignore
from s2i.sources.local import listing


def regex(pattern: str) -> str:
    return globs.Bounded(pattern).regex.pattern


@pytest.mark.parametrize(
    "pattern", ["*a" * 14 + "b", "*" * 50 + "b", "*?" * 20 + "b", "*[ab]" * 20 + "/x", "/*a*a*a*a*a*"]
)
def test_at_most_one_star_of_a_segment_is_tried_more_than_one_way(pattern: str) -> None:
    free = re.sub(r"\(\?>\[\^/\]\*\?(?:\[[^]]*\]|[^()])*?\)", "", regex(pattern))
    assert free.count("[^/]*") <= 1


@pytest.mark.parametrize("pattern", ["**/a" * 9 + "/**/b", "x" + "/**/a" * 9 + "/b", "/**/a/**/b/**/c"])
def test_at_most_one_run_of_folders_is_tried_more_than_one_way(pattern: str) -> None:
    assert "(?:.+/)" not in regex(pattern)
    assert "(?:/.+)" not in regex(pattern)
    assert len(re.findall(r"\(\?:(?:/\[\^/\]\+|\[\^/\]\+/)\)\*(?!\?)", regex(pattern))) == 1


def test_a_name_made_to_keep_a_rule_busy_is_listed(tmp_path: Path) -> None:
    (tmp_path / ("a" * 60 + "c")).write_text("x")
    (tmp_path / ".dockerignore").write_text("*a" * 14 + "b\n" + "**/a" * 12 + "/**/b\n")
    assert list(listing(str(tmp_path)).paths()) == [".dockerignore", "a" * 60 + "c"]


segments = st.lists(st.sampled_from(["a", "b", "*", "?", "[ab]", "[!a]", "ab", "\\*"]), min_size=1, max_size=6).map(
    "".join
)
patterns = st.lists(st.one_of(segments, st.just("**")), min_size=1, max_size=5).map("/".join)
names = st.text("ab*", min_size=1, max_size=5)
paths = st.lists(names, min_size=1, max_size=5).map("/".join)


@given(st.sampled_from(["", "/", "!"]), patterns, st.sampled_from(["", "/"]), paths, st.sampled_from(["", "/"]))
def test_a_rule_means_what_it_means_to_pathspec(start: str, pattern: str, end: str, path: str, slash: str) -> None:
    lines = ["b*", start + pattern + end]
    expected = GitIgnoreSpec.from_lines(lines).check_file(path + slash)
    assert expected == globs.compile(lines).check_file(path + slash)


@pytest.mark.parametrize(
    ("limit", "what"),
    [
        ("RULES_COUNT", "more than 3 rules"),
        ("RULES_LIMIT", "more than 3 bytes of rules"),
        ("RULES_CHECKS", "too many rules for this many files"),
    ],
)
def test_too_many_rules_are_refused_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, what: str
) -> None:
    monkeypatch.setattr(ignore, limit, 3)
    (tmp_path / "app.py").write_text("x")
    (tmp_path / ".gitignore").write_text("# rules\n\na\nb\nc\nd\n")
    with pytest.raises(S2IError) as caught:
        listing(str(tmp_path))
    assert (caught.value.code, caught.value.exit, caught.value.where) == ("E_IGNORE", 3, ".gitignore")
    assert str(caught.value) == f".gitignore: the ignore files of the source hold {what}"
