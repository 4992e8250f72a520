"""What the pins of the dependencies can be installed on: the table of wheels, and what is known to break."""

from __future__ import annotations

import pytest

from buildpacks.python import requirements, version
from buildpacks.python.version import pins
from s2i.planning.plan import Base

OFFERED = tuple(Base(f"3.{minor}", "", "") for minor in range(6, 15))


def limits(*lines: str, locked: dict[str, str] | None = None):
    found = [requirements.parse(line, f"requirements.txt:{n}") for n, line in enumerate(lines, 1)]
    return version.limits({r.name: r for r in found if r}, locked or {}, "uv.lock:1")


def newest(*lines: str, locked: dict[str, str] | None = None) -> str:
    """Return the Python that is taken of 3.6 to 3.14."""
    return version.choose((), OFFERED, limits(*lines, locked=locked)).base.python


@pytest.mark.parametrize("rule", pins.known().rule, ids=lambda r: r.case[0])
def test_each_rule_limits_its_case_with_its_reason(rule):
    found = [limit for limit in limits(*rule.case) if limit.why == rule.why]
    minor = int(rule.newest.partition(".")[2])
    assert [(minor, rule.link, rule.sure)] == [(limit.newest, limit.link, limit.sure) for limit in found]
    assert (0, 1) == (found[0].distance(minor), found[0].distance(minor + 1))


@pytest.mark.parametrize("rule", [r for r in pins.known().rule if r.before], ids=lambda r: r.case[0])
def test_no_rule_limits_the_first_release_without_the_fault(rule):
    assert [] == [limit for limit in limits(f"{rule.name}=={rule.before}") if limit.why == rule.why]


@pytest.mark.parametrize(
    ("line", "python"),
    [
        ("gevent==21.12.0", "3.10"),
        ("gevent~=21.12", "3.10"),
        ("gevent>=21,<22", "3.10"),
        ("gevent==21.*", "3.10"),
        ("gevent>=21", "3.14"),
        ("greenlet==1.1.3.post0", "3.11"),
        ("numpy==1.21.0", "3.9"),
        ("numpy==1.26.0", "3.12"),
        ("pandas==1.4.3", "3.10"),
        ("psycopg2-binary==2.8.5", "3.8"),
        ("psycopg2-binary==2.9.3", "3.10"),
        ("PyYAML==5.4.1", "3.9"),
        ("PyYAML==5.3.1", "3.14"),  # older than its wheels: it builds without a compiler, or nowhere
        ("numpy==99.0", "3.14"),  # newer than the table
        ("numpy", "3.14"),
        ("backports.zoneinfo==0.2.1", "3.8"),
        ('backports.zoneinfo==0.2.1; python_version < "3.9"', "3.14"),
        ('numpy==1.21.0; sys_platform == "win32"', "3.14"),
        ("typed-ast", "3.11"),
    ],
)
def test_a_pin_takes_the_newest_python_with_a_wheel(line, python):
    assert python == newest(line)


@pytest.mark.parametrize(
    ("line", "oldest"), [("numpy==2.3.2", 11), ("django==5.2", 10), ("flask==3.1.0", 9), ("fastapi==0.110.0", 8)]
)
def test_a_pin_knows_the_oldest_python_that_it_needs(line, oldest):
    assert [oldest] == [limit.oldest for limit in limits(line) if limit.oldest]


def test_what_a_lock_holds_limits_as_a_pin_does_and_names_the_lock():
    found = limits("flask", locked={"flask": "3.0.3", "gevent": "21.12.0"})
    assert [("gevent==21.12.0", "uv.lock:1", 10)] == [(x.pin, x.where, x.newest) for x in found if x.newest < 90]


def test_a_lock_that_holds_backports_for_old_pythons_says_nothing_of_the_rest():
    assert "3.14" == newest("flask", locked={"flask": "3.0.3", "backports-zoneinfo": "0.2.1", "typed-ast": "1.5.5"})


@pytest.mark.parametrize(
    ("lines", "python"),
    [
        (["click==6.7", "Flask==1.0.2", "itsdangerous>=0.24", "Jinja2==2.10.1", "MarkupSafe==1.1", "Werkzeug==0.15.5"], "3.9"),
        (["click==6.7", "Flask==1.0.2", "itsdangerous==0.24", "Jinja2==2.10.1", "MarkupSafe==1.1", "Werkzeug==0.15.3"], "3.7"),
        (["Flask==1.1.2", "itsdangerous==1.1.0", "Jinja2==2.11.3", "MarkupSafe==1.1.1", "Werkzeug==1.0.1"], "3.13"),
        (["flask==0.12.2", "jinja2==2.9.6", "markupsafe==1.1.1", "itsdangerous==0.24", "werkzeug==0.12.2", "psycopg2==2.7.3"], "3.7"),
        (["Flask", "uwsgi==2.0.22"], "3.11"),
        (["django>=1.11,<1.12", "psycopg2-binary==2.8.5"], "3.7"),
        (["Django==1.10.5", "djangorestframework==3.4.4"], "3.6"),
        (["Django~=2.0.0", "channels~=2.0,>=2.0.2"], "3.7"),
        (["numpy==1.26.0", "pandas==1.4.3"], "3.10"),
        (["asgiref==3.5.0", "Django==4.0.3", "psycopg2-binary==2.9.3"], "3.10"),
        (["flask", "redis", "gunicorn"], "3.14"),
    ],
)  # fmt: skip
def test_trees_that_were_run_get_a_python_on_which_they_ran(lines, python):
    assert python == newest(*lines)


def test_a_specifier_that_no_parser_knows_limits_nothing():
    assert () == version.limits({"numpy": requirements.Requirement("numpy", "", "r:1")}, {}, "")


TABLE = {name: [row.split() for row in text.split(", ")] for name, text in pins.wheels().items()}


@pytest.mark.parametrize("name", TABLE)
def test_a_release_with_a_wheel_for_a_python_is_never_kept_from_it(name):
    kept = [
        (release, python)
        for python, *releases in TABLE[name]
        for release in releases
        for limit in limits(f"{name}=={release}")
        if release != "0" and limit.link == pins.INDEX.format(name) and limit.distance(int(python[2:]))
    ]
    assert [] == kept


def test_of_pins_that_contradict_each_other_the_sure_one_is_met_and_the_other_named():
    chosen = version.choose((), OFFERED, limits("psycopg2==2.7.3", "numpy==2.3.2"))
    expected = (
        "numpy==2.3.2 will likely not install on Python 3.7: it needs Python 3.11. "
        "Use Python 3.11 or newer, or another release of it"
    )
    assert ("3.7", expected) == (chosen.base.python, chosen.notices[0].message)


def test_when_no_python_on_offer_meets_a_pin_the_nearest_is_taken_and_that_is_said():
    offered = tuple(Base(f"3.{minor}", "", "") for minor in (9, 11, 13))
    chosen = version.choose((), offered, limits("psycopg2==2.7.3"))
    expected = (
        "psycopg2==2.7.3 will not work on Python 3.9: it does not compile on Python 3.8. "
        "Use Python 3.7 or older, or another release of it"
    )
    assert ("3.9", expected) == (chosen.base.python, chosen.notices[0].message)
