"""The verdict on what was seen: one cause for each way of failing, with the line that proves it."""

from __future__ import annotations

import msgspec
import pytest

from s2i.images.prove import checks, judge, notices
from s2i.images.prove.proof import Check, Found, Proof, Seen
from s2i.planning.plan import BuildPlan, Decision

PLAN = BuildPlan(
    buildpack="python", kind="wsgi", framework="flask", manager="none", python="3.13", entry="app:app",
    start=("gunicorn", "app:app"), decisions=(Decision("entry", "app:app", "app.py:3"),),
)  # fmt: skip
ASGI = msgspec.structs.replace(PLAN, kind="asgi", start=("hypercorn", "app:app"))
ANSWERED = Seen(port=8080, limit=60, running=True, answer="200", listening=(("0.0.0.0", 8080),))
ENDED = Seen(port=8080, limit=60, running=False, exit=3)
SILENT = Seen(port=8080, limit=60, running=True)


def judged(seen: Seen, plan: BuildPlan = PLAN, **changes: object) -> Proof:
    return judge.judge("sha256:app", plan, msgspec.structs.replace(seen, **changes))


@pytest.mark.parametrize("status", ["200", "302", "401", "404", "500", "503"])
def test_any_http_answer_will_do(status: str) -> None:
    proof = judged(ANSWERED, answer=status, found=Found("wsgi", kind="wsgi"))
    assert (proof.cause, proof.proven, proof.kind) == ("", True, "wsgi")


@pytest.mark.parametrize(
    ("seen", "changes", "cause", "why"),
    [
        (ANSWERED, {"listening": (("127.0.0.1", 8080),)}, "loopback", "it listens on 127.0.0.1:8080 only, "),
        (ANSWERED, {"listening": (("::1", 8080), ("0.0.0.0", 9000))}, "loopback", "it listens on [::1]:8080 only, "),
        (ENDED, {}, "exited", "it exited with code 3 before it answered on port 8080"),
        (ENDED, {"exit": 139}, "exited", "it exited with code 139 (SIGSEGV) before it answered on port 8080"),
        (ENDED, {"exit": 0}, "exited", "it ended with exit code 0 before it answered on port 8080: "),
        (ENDED, {"exit": 137, "oom": True}, "memory", "it needed more memory than it may have"),
        (SILENT, {}, "silent", "it listened nowhere within 60 s, expected 0.0.0.0:$PORT (PORT=8080)"),
        (SILENT, {"answer": "nothing", "listening": (("0.0.0.0", 8080),)}, "mute", "it listens on port 8080, but "),
        (SILENT, {"listening": (("0.0.0.0", 5000), ("::", 5000))}, "elsewhere", "it listens on port 5000, expected "),
        (SILENT, {"found": Found("hangs")}, "hangs", "importing app:app did not end within 60 s"),
        (SILENT, {"answer": "unasked", "listening": (("0.0.0.0", 8080),)}, "outside", "something listens, and no base"),
    ],
)
def test_each_way_of_failing_has_its_cause(seen: Seen, changes: dict[str, object], cause: str, why: str) -> None:
    proof = judged(seen, **changes)
    assert (proof.cause, proof.why[: len(why)]) == (cause, why)


@pytest.mark.parametrize(
    ("line", "cause", "name"),
    [
        ("KeyError: 'DATABASE_URL'", "variable", "DATABASE_URL"),
        (
            "decouple.UndefinedValueError: SECRET_KEY not found. Declare it as envvar or define",
            "variable",
            "SECRET_KEY",
        ),
        ("ImproperlyConfigured: Set the SECRET_KEY environment variable", "variable", "SECRET_KEY"),
        ("ValueError: DEBUG environment variable must be either 'true' or 'false'", "variable", "DEBUG"),
        ("RuntimeError: MAIL_URL must be set", "variable", "MAIL_URL"),
        ("shop.ConfigError: missing environment variable 'TOKEN'", "variable", "TOKEN"),
        ("TypeError: the name GET_ALL is not a function", "exited", ""),
        ("KeyError: 'name'", "exited", ""),
        ("ConnectionRefusedError: [Errno 111] Connection refused", "outside", ""),
        ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "outside", ""),
        (
            "redis.exceptions.ConnectionError: Error 101 connecting to 10.0.0.2:6379. Network is unreachable.",
            "outside",
            "",
        ),
        ('psycopg2.OperationalError: could not translate host name "db" to address', "outside", ""),
        ("pymongo.errors.ServerSelectionTimeoutError: mongo:27017", "outside", ""),
        ("ValueError: bad", "exited", ""),
    ],
)
def test_a_log_tells_what_is_wanted_from_what_is_wrong(line: str, cause: str, name: str) -> None:
    proof = judged(ENDED, log=("Traceback (most recent call last):", line))
    assert (proof.cause, name in proof.why) == (cause, True)


def test_what_the_code_says_of_a_variable_is_shown() -> None:
    proof = judged(ENDED, log=("ValueError: DEBUG environment variable must be either 'true' or 'false'",))
    expected = "it needs the environment variable DEBUG: DEBUG environment variable must be either 'true' or 'false'"
    assert (expected, "`--env DEBUG=…` sets it, for deploy and for build --prove") == (proof.why, proof.advice)


def test_a_hang_in_a_client_of_another_machine_is_no_fault_of_the_app() -> None:
    stack = (
        "Timeout (0:01:00)!",
        '  File "/opt/venv/lib/python3.13/site-packages/psycopg/connection.py", line 90 in x',
    )
    assert judged(SILENT, found=Found("hangs", stack=stack)).cause == "outside"


def test_a_hang_is_placed_at_the_line_of_the_source() -> None:
    stack = (
        '  File "/usr/lib/python3.13/threading.py", line 9 in wait',
        '  File "/app/shop/app.py", line 12 in <module>',
    )
    assert judged(SILENT, found=Found("hangs", stack=stack)).where == "shop/app.py:12"


def test_what_is_not_installed_is_named_before_what_the_log_says() -> None:
    found = Found("error", error="ModuleNotFoundError", file="/app/db.py", line=4, absent="yaml")
    proof = judged(ENDED, msgspec.structs.replace(PLAN, subdir="api"), found=found, log=("Connection refused",))
    assert (proof.cause, proof.where) == ("import", "api/db.py:4")
    assert proof.why.startswith("the module yaml cannot be imported")


def test_of_a_module_that_can_be_a_file_of_the_source_it_is_said_that_an_ignore_file_may_leave_it_out() -> None:
    text = "No module named 'local_settings'"
    found = Found("error", error="ModuleNotFoundError", text=text, file="/app/app.py", line=3, absent="local_settings")
    proof = judged(ENDED, found=found)
    assert ("import", "app.py:3") == (proof.cause, proof.where)
    assert proof.why == "the code imports local_settings, which is not in the image"
    assert proof.advice.endswith(
        "if it is a file of yours, see that it is in the source and that no ignore file leaves it out"
    )


def test_an_import_that_starts_a_server_is_told_from_one_that_only_hangs() -> None:
    proof = judged(SILENT, found=Found("hangs"), listening=(("127.0.0.1", 5000),))
    assert ("hangs", "importing app:app did not end within 60 s: it listens on port 5000 itself") == (
        proof.cause, proof.why,
    )  # fmt: skip
    assert 'below `if __name__ == "__main__":`' in proof.advice


def test_a_module_that_is_known_to_be_gone_is_named_with_what_brings_it() -> None:
    text = "No module named 'pkg_resources'"
    found = Found("error", error="ModuleNotFoundError", text=text, file="/app/db.py", line=3, absent="pkg_resources")
    proof = judged(ENDED, found=found)
    assert ("import", "db.py:3") == (proof.cause, proof.where)
    assert "add setuptools<81 to the requirements" in proof.advice


def test_of_a_long_traceback_the_line_of_the_source_and_the_end_are_shown() -> None:
    deep = [f'  File "/opt/venv/x.py", line {number}' for number in range(20)]
    log = ('  File "/app/app.py", line 5, in <module>', "    boom()", *deep, "ValueError: no", "[INFO] Worker exiting")
    assert judged(ENDED, log=log).log == (*log[:2], *deep[11:], "ValueError: no")


def test_of_a_traceback_the_part_that_is_the_sources_own_is_shown() -> None:
    log = (
        'File "/opt/venv/gunicorn.py", line 1', '  File "/app/app.py", line 5, in <module>', "    boom()",
        "ValueError: no", "[INFO] Worker exiting",
    )  # fmt: skip
    assert judged(ENDED, log=log).log == log[1:4]


@pytest.mark.parametrize(
    ("plan", "found", "why"),
    [
        (PLAN, Found("asgi", kind="asgi"), "app:app is an ASGI application, and was to be served as WSGI"),
        (ASGI, Found("wsgi", kind="wsgi"), "app:app is a WSGI application, and was to be served as ASGI"),
        (
            PLAN,
            Found("factory", kind="wsgi"),
            "app:app is a factory, which has to be called: it makes a WSGI application",
        ),
        (PLAN, Found("factory", kind="asgi"), "app:app makes an ASGI application, and was to be served as WSGI"),
        (PLAN, Found("missing"), "there is no app in the module app"),
        (PLAN, Found("value", type="builtins.str"), "app:app cannot be called: it is a str"),
        (
            msgspec.structs.replace(PLAN, entry="app:make()"),
            Found("wsgi", kind="wsgi"),
            "app:make is no factory: it is a WSGI application itself",
        ),
        (PLAN, Found("wsgi", kind="wsgi"), ""),
        (PLAN, Found("unknown"), ""),
        (PLAN, Found("factory"), ""),
        (msgspec.structs.replace(PLAN, entry="app:make()"), Found("factory", kind="wsgi"), ""),
    ],
)
def test_a_callable_contradicts_its_plan_or_not(plan: BuildPlan, found: Found, why: str) -> None:
    assert judge.contradiction(plan, found) == why


def test_hypercorn_answers_for_a_wsgi_application_and_the_plan_is_wrong_all_the_same() -> None:
    assert judged(ANSWERED, ASGI, found=Found("wsgi", kind="wsgi")).cause == "callable"


def test_an_answer_of_the_application_outweighs_a_shape_that_nobody_can_read() -> None:
    assert judged(ANSWERED, ASGI, found=Found("value", type="x.Proxy")).cause == ""


@pytest.mark.parametrize(
    ("seconds", "code", "ok", "said"),
    [
        (0.3, 0, True, "ends on SIGTERM, exit code 0"),
        (0.3, 143, True, "ends on SIGTERM, exit code 143"),
        (10.1, 137, False, "SIGTERM ignored: it had to be killed after 10 s"),
        (0.5, None, True, "ends on SIGTERM"),
    ],
)
def test_how_an_app_ends_is_judged(seconds: float, code: int | None, ok: bool, said: str) -> None:
    check = checks.stopped(seconds, code, 10.0)
    assert (check.ok, check.seen) == (ok, said)


def test_an_answer_that_says_the_app_is_broken_is_a_notice_with_what_was_raised() -> None:
    log = (
        "Traceback (most recent call last):",
        '  File "/app/a.py", line 1',
        "sqlite3.OperationalError: no such table: x",
    )
    (notice,) = notices(judged(ANSWERED, answer="500", log=log))
    raised = "sqlite3.OperationalError: no such table: x"
    expected = (
        f"it serves, but answers GET / with HTTP 500: {raised}; mend what was raised"
        " (/app is read-only, and each deployment empties /tmp)"
    )
    assert ("W_ANSWER", expected) == (notice.code, notice.message)
    assert [] == [one.code for one in notices(judged(ANSWERED, answer="404", log=log))]


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (Check("answer", True, "HTTP 200", 3.02), "ok  answer: HTTP 200 (3.0 s after the start)"),
        (Check("answer", True, "HTTP 500", 0.01), "!!  answer: HTTP 500"),
        (Check("answer", False, "none", 60.0), "NO  answer: none (60.0 s after the start)"),
        (Check("stop", True, "ends on SIGTERM", 0.3), "ok  stop: ends on SIGTERM (0.3 s)"),
    ],
)
def test_a_check_is_a_line(check: Check, expected: str) -> None:
    assert expected == checks.line(check)


def test_an_entry_is_told_in_the_same_words_whether_it_was_imported_or_has_answered() -> None:
    asked = judged(ANSWERED, found=Found("wsgi", "wsgi")).checks[0]
    assert asked == judged(ANSWERED).checks[0]
    assert asked.seen == "app:app is a WSGI application"


def test_what_the_whole_log_says_of_files_counts() -> None:
    before = judged(ANSWERED)
    after = checks.with_end(
        before, checks.stopped(0.1, 0, 10.0), ("OSError: [Errno 30] Read-only file system: '/app/x'",)
    )
    assert [one.code for one in notices(before)] == []
    assert [one.code for one in notices(after)] == ["W_READ_ONLY"]
    assert after.proven


def test_a_privilege_that_should_not_be_there_is_shown() -> None:
    shown = {c.name: c.ok for c in judged(ANSWERED, privileges="user 0, capabilities 3fffff").checks}
    assert shown["user"] is False


@pytest.mark.parametrize(
    ("said", "cause", "seen"),
    [
        (("resolves", "/opt/venv/bin/python"), "", "is /opt/venv/bin/python"),
        (("lacks", "there is no file gone.py"), "command", "there is no file gone.py"),
        (None, "command", "nothing could be run in the image"),
    ],
)
def test_a_job_is_judged_by_its_command(said: tuple[str, str] | None, cause: str, seen: str) -> None:
    proof = judge.job(Proof(image="i", kind="job", entry="report.py"), said, 0.2)
    assert (proof.cause, proof.checks[0].seen) == (cause, seen)


def test_an_app_that_ended_is_explained_by_the_table_of_failed_starts() -> None:
    lines = (
        "Traceback (most recent call last):",
        "ImportError: libGL.so.1: cannot open shared object file: No such file or directory",
    )
    proof = judged(ENDED, log=lines)
    assert proof.cause == "exited"
    assert "libGL.so.1" in proof.why
    assert "libgl1" in proof.advice
