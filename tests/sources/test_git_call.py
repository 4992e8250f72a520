"""The git call is a value; there is one."""

from __future__ import annotations

import ast
from pathlib import Path

import s2i
from s2i import shell
from s2i.sources.git import SETTINGS, SSH, Remote, command, environment
from s2i.sources.limits import Limits

PACKAGE = Path(s2i.__file__).parent
HOME = Path("/empty")
REMOTE = Remote.of("https://host/o/r")
SECRETIVE = {
    "PATH": "/bin",
    "HOME": "/root",
    "GIT_SSH_COMMAND": "touch canary",
    "GIT_DIR": "/x",
    "GIT_SSL_NO_VERIFY": "1",
    "GIT_PROXY_COMMAND": "touch canary",
    "AWS_SECRET_ACCESS_KEY": "s3cr3tcanary",
    "LD_PRELOAD": "/x.so",
}


def calls(tree: ast.AST) -> list[str]:
    return [ast.unparse(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)]


def words(node: ast.AST) -> list[object]:
    """Return the constants of a tuple or list: of a command line."""
    elements = node.elts if isinstance(node, ast.Tuple | ast.List) else []
    return [element.value for element in elements if isinstance(element, ast.Constant)]


def is_git_command(node: ast.AST) -> bool:
    return "git" in words(node) and any(str(word).startswith("-") for word in words(node))


def test_git_is_called_in_one_place() -> None:
    modules = {path: ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")}
    git = PACKAGE / "sources/git.py"
    lines = [path for path, module in modules.items() for node in ast.walk(module) if is_git_command(node)]
    assert lines == [git]
    run = [
        path for path in modules if path.parent == git.parent for call in calls(modules[path]) if call == "shell.run"
    ]
    assert run == [git]


def test_no_git_library_is_used() -> None:
    modules = [ast.parse(path.read_text()) for path in PACKAGE.rglob("*.py")]
    nodes = [node for module in modules for node in ast.walk(module)]
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    parts = {node.module for node in nodes if isinstance(node, ast.ImportFrom)}
    assert {name for name in plain | parts if name and name.partition(".")[0] in ("git", "pygit2", "dulwich")} == set()


def test_a_git_command_is_limited_and_hardened(monkeypatch) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr(shell, "find", lambda program: f"/bin/{program}")
    line = command(("fetch", "--", "https://host/o/r"), Limits(size=0, memory=5, stall=7), REMOTE)
    settings = [*SETTINGS, "http.lowSpeedLimit=1000", "http.lowSpeedTime=7"]
    assert line == (
        *("/bin/prlimit", "--as=5", "--fsize=67108864", "--core=0", "--"),
        *("git", "--no-pager", "--no-replace-objects"),
        *(word for setting in settings for word in ("-c", setting)),
        *("fetch", "--", "https://host/o/r"),
    )


def test_checked_addresses_are_pinned() -> None:
    remote = Remote.of("https://Host/o/r", ("192.0.2.1", "2001:db8::1"), network=True)
    assert "http.curloptResolve=host:443:192.0.2.1,[2001:db8::1]" in command((), Limits(), remote)


def test_plain_http_is_on_only_for_a_remote_that_was_admitted_with_it() -> None:
    plain = Remote.of("http://host/o/r")
    assert "protocol.http.allow=always" in command((), Limits(), plain)
    assert environment(HOME, {}, plain)["GIT_ALLOW_PROTOCOL"] == "https:ssh:http"
    assert "protocol.http.allow=always" not in command((), Limits(), REMOTE)
    assert environment(HOME, {}, REMOTE)["GIT_ALLOW_PROTOCOL"] == "https:ssh"


def test_nothing_of_the_environment_goes_through_but_the_path() -> None:
    made = environment(HOME, SECRETIVE, REMOTE)
    assert {name: made[name] for name in SECRETIVE if name in made} == {
        "PATH": "/bin",
        "HOME": "/empty",
        "GIT_SSH_COMMAND": SSH,
    }
    assert "canary" not in str(made)


def test_a_proxy_a_ca_and_the_agent_go_through() -> None:
    given = {"https_proxy": "http://proxy:3128", "SSL_CERT_FILE": "/ca.pem", "SSH_AUTH_SOCK": "/agent"}
    made = environment(HOME, given, REMOTE)
    assert (made["https_proxy"], made["GIT_SSL_CAINFO"], made["SSH_AUTH_SOCK"]) == (
        "http://proxy:3128",
        "/ca.pem",
        "/agent",
    )
    assert environment(HOME, given | {"GIT_SSL_CAINFO": "/own.pem"}, REMOTE)["GIT_SSL_CAINFO"] == "/own.pem"


def test_a_caller_on_the_network_does_not_get_the_agent() -> None:
    remote = Remote.of("git@host:r", network=True)
    made = environment(HOME, {"SSH_AUTH_SOCK": "/agent"}, remote)
    assert "SSH_AUTH_SOCK" not in made
    assert made["GIT_SSH_COMMAND"].endswith(
        " -o PubkeyAuthentication=no -o IdentityAgent=none -o GSSAPIAuthentication=no"
    )


def test_without_a_remote_no_protocol_works() -> None:
    made = environment(HOME, {"https_proxy": "http://proxy:3128"})
    assert (made["GIT_ALLOW_PROTOCOL"], made["GIT_SSH_COMMAND"]) == ("none", "false")
    assert "https_proxy" not in made
