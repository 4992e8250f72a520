"""Repositories are fetched from a real Git server on loopback; the hostile ones too."""

from __future__ import annotations

import hashlib
import shlex
import socket
import stat
import sys
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from git_http import GitServer, commit, git, repository

from s2i import dirs, shell
from s2i.errors import S2IError
from s2i.sources import Limits, Policy, Tree, clone, fetch, parse

pytestmark = pytest.mark.world

APP = {"app.py": "x = 1\n", "requirements.txt": "flask\n", "sub/dir/a.py": "y\n"}
SHORT = Limits(seconds=20.0, stall=2)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[GitServer]:
    with GitServer(tmp_path / "served") as running:
        yield running


@pytest.fixture(autouse=True)
def _nothing_left() -> Iterator[None]:
    """Whatever a test does: no private folder stays."""
    yield
    work = dirs.cache() / "work"
    assert [path.name for path in work.glob("*")] == []


def policy(server: GitServer, *, network: bool = False) -> Policy:
    return Policy(network=network, allow=frozenset([server.host]))


@contextmanager
def fetched(server: GitServer, name: str, *, limits: Limits | None = None, **options: str) -> Iterator[Tree]:
    with fetch(parse(server.url(name), **options), policy=policy(server), limits=limits) as tree:
        yield tree


def refusal(server: GitServer, name: str, *, limits: Limits | None = None, **options: str) -> S2IError:
    with pytest.raises(S2IError) as caught, fetched(server, name, limits=limits, **options):
        pass
    return caught.value


def served(server: GitServer, name: str = "r", files: dict[str, str | bytes] | None = None) -> Path:
    return repository(server.root / name, {**APP} if files is None else files)


def raw(folder: Path, kind: str, data: bytes) -> str:
    """Write an object as Git itself would refuse to."""
    store = f"{kind} {len(data)}".encode() + b"\0" + data
    name = hashlib.sha1(store, usedforsecurity=False).hexdigest()
    path = folder / ".git/objects" / name[:2] / name[2:]
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(zlib.compress(store))
    return name


def raw_repository(folder: Path, *entries: tuple[str, bytes, str]) -> None:
    """Make a repository whose tree has ``entries`` (mode, name, object) as they are."""
    tree = raw(folder, "tree", b"".join(f"{m} ".encode() + n + b"\0" + bytes.fromhex(o) for m, n, o in entries))
    who = "a <a@example.org> 1700000000 +0000"
    head = raw(folder, "commit", f"tree {tree}\nauthor {who}\ncommitter {who}\n\nm\n".encode())
    git(folder, "update-ref", "refs/heads/main", head)


def test_a_branch_a_tag_and_the_default_branch_are_fetched(server: GitServer) -> None:
    folder = served(server)
    first = git(folder, "rev-parse", "HEAD")
    git(folder, "tag", "-a", "v1", "-m", "t")
    git(folder, "checkout", "-q", "-b", "feature/x")
    second = commit(folder, {"new.py": "z\n"})
    git(folder, "checkout", "-q", "main")
    for name, ref, expected in (("r", "main", first), ("r@v1", "v1", first), ("r@feature/x", "feature/x", second)):
        with fetched(server, name) as tree:
            origin = tree.origin
            assert (origin.kind, origin.ref, origin.commit, origin.time) == ("git", ref, expected, 1_700_000_000)
            assert tree.text("app.py") == "x = 1\n"
            assert ("new.py" in tree) == (ref == "feature/x")
    assert tree.notices == ()


def test_a_commit_is_fetched_by_its_id(server: GitServer) -> None:
    folder = served(server)
    first = git(folder, "rev-parse", "HEAD")
    commit(folder, {"app.py": "x = 2\n"})
    with fetched(server, "r", commit=first) as tree:
        assert (tree.origin.commit, tree.text("app.py")) == (first, "x = 1\n")


def test_a_commit_that_is_not_there_is_said(server: GitServer) -> None:
    served(server)
    error = refusal(server, "r", commit="a" * 40)
    assert (error.code, error.exit) == ("E_COMMIT_MISSING", 3)
    assert error.message == (
        f"{server.url('r')} does not give the commit {'a' * 40}: remote error: upload-pack: not our ref {'a' * 40}"
    )


def test_a_sha256_repository_is_fetched(server: GitServer) -> None:
    folder = repository(server.root / "r", APP, "--object-format=sha256")
    head = git(folder, "rev-parse", "HEAD")
    for options in ({}, {"commit": head}):
        with fetched(server, "r", **options) as tree:
            assert (len(head), tree.origin.commit) == (64, head)


def test_a_branch_wins_over_a_tag_of_its_name_and_that_is_said(server: GitServer) -> None:
    folder = served(server)
    git(folder, "tag", "v1")
    second = commit(folder, {"app.py": "x = 2\n"})
    git(folder, "branch", "v1")
    with fetched(server, "r@v1") as tree:
        assert (tree.origin.commit, [notice.code for notice in tree.notices]) == (second, ["W_REF_AMBIGUOUS"])
    with fetched(server, "r@refs/tags/v1") as tree:
        assert (tree.text("app.py"), tree.notices) == ("x = 1\n", ())


def test_a_missing_ref_is_refused_with_those_near_it(server: GitServer) -> None:
    folder = served(server)
    git(folder, "branch", "feature/login")
    git(folder, "tag", "v1.0")
    error = refusal(server, "r@feature/logn")
    assert (error.code, error.exit) == ("E_REF_MISSING", 3)
    url = server.url("r")
    assert error.message == f'there is no branch or tag "feature/logn" in {url}; near it: feature/login'
    assert refusal(server, "r@zzz").message.endswith("; there is: feature/login, main, v1.0")


def test_only_what_was_asked_for_is_fetched_of_10000_refs(server: GitServer) -> None:
    folder = served(server)
    head = git(folder, "rev-parse", "HEAD")
    lines = "".join(f"create refs/heads/b{i} {head}\n" for i in range(10_000))
    git(folder, "update-ref", "--stdin", stdin=lines.encode())
    with fetched(server, "r@b77") as tree:
        assert tree.origin.ref == "b77"
    assert "near it: b" in str(refusal(server, "r@b77x"))


def test_a_folder_of_the_repository_is_a_tree_of_its_own(server: GitServer) -> None:
    served(server)
    with fetched(server, "r#sub") as tree:
        assert (list(tree.paths()), tree.origin.subdir, tree.text("dir/a.py")) == (["dir/a.py"], "sub", "y\n")


@pytest.mark.parametrize("subdir", ["nope", "sub/nope", "app.py"])
def test_a_missing_folder_is_refused_with_those_there(server: GitServer, subdir: str) -> None:
    served(server)
    error = refusal(server, f"r#{subdir}")
    assert (error.code, error.exit) == ("E_SUBDIR", 3)
    assert error.message == f"there is no folder {subdir} in {server.url('r')}; folders there: sub"


def test_what_git_tracks_is_in_whatever_gitignore_says(server: GitServer) -> None:
    folder = served(server)
    (folder / ".gitignore").write_text("app.py\n")
    commit(folder, {".dockerignore": "requirements.txt\n"})
    with fetched(server, "r") as tree:
        assert list(tree.paths()) == [".dockerignore", ".gitignore", "app.py", "sub/dir/a.py"]


def test_an_empty_repository_and_an_empty_commit_are_refused(server: GitServer) -> None:
    repository(server.root / "none")
    repository(server.root / "bare", {})
    errors = [refusal(server, "none"), refusal(server, "bare")]
    assert [(error.code, error.exit) for error in errors] == [("E_GIT_EMPTY", 3), ("E_EMPTY", 4)]


def test_a_repository_that_is_not_there_is_refused(server: GitServer) -> None:
    error = refusal(server, "none")
    assert (error.code, error.exit) == ("E_GIT_AUTH", 3)
    url = server.url("none")
    assert error.message == f"{url} is private, or there is no such repository: repository '{url}/' not found"


def test_a_private_repository_is_refused_without_asking_anybody(tmp_path: Path) -> None:
    with GitServer(tmp_path, password="secret") as server:
        assert refusal(server, "r").code == "E_GIT_AUTH"


def test_a_port_where_nobody_listens_is_a_passing_fault(server: GitServer) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        host = f"127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(S2IError) as caught,
            fetch(parse(f"http://{host}/r"), policy=Policy(allow=frozenset([host]))),
        ):
            pass
    assert (caught.value.code, caught.value.exit) == ("E_GIT_UNREACHABLE", 75)
    assert caught.value.message.startswith("cannot reach 127.0.0.1: Failed to connect to 127.0.0.1 port")


def test_a_redirect_is_not_followed(server: GitServer, tmp_path: Path) -> None:
    served(server)
    with GitServer(tmp_path, redirect=f"http://{server.host}") as other:
        error = refusal(other, "r")
    assert (error.code, server.requests) == ("E_GIT_REDIRECT", [])
    assert error.message.endswith("which is not followed: The requested URL returned error: 302")


def test_the_network_policy_opens_no_connection_to_a_private_address(server: GitServer) -> None:
    url = f"https://127.0.0.1:{server.port}/r"
    with pytest.raises(S2IError) as caught, fetch(parse(url), policy=Policy(network=True)):
        pass
    assert (caught.value.code, server.requests) == ("E_URL_PRIVATE", [])


def test_a_pinned_name_goes_to_the_checked_address(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    served(server)
    monkeypatch.setattr(Policy, "admit", lambda _self, _url: ("127.0.0.1",))
    source = parse(f"http://name.invalid:{server.port}/r")
    with fetch(source, policy=Policy(network=True)) as tree:
        assert tree.text("app.py") == "x = 1\n"


def test_an_old_git_is_refused_where_addresses_must_be_pinned(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub(tmp_path / "bin", "git", "echo git version 2.30.2")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    monkeypatch.setattr(Policy, "admit", lambda _self, _url: ("192.0.2.1",))
    assert refusal(server, "r").message.startswith("git 2.30.2 cannot be held to one address")


def test_without_git_it_says_how_to_get_it(server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refusal(server, "r")
    assert (error.code, error.exit) == ("E_GIT_MISSING", 3)


@contextmanager
def tarpit(*, drip: bytes = b"") -> Iterator[str]:
    """Accept connections and say nothing, or ``drip`` once in a while; yield "host:port"."""
    closed = threading.Event()

    def hold(connection: socket.socket) -> None:
        with connection:
            while not closed.wait(0.2):
                if drip:
                    connection.sendall(drip)

    def serve() -> None:
        while not closed.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=hold, args=(connection,), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        closed.set()
        listener.shutdown(socket.SHUT_RDWR)


def processes_with(word: str, seconds: float = 10.0) -> list[int]:
    """Return who still has ``word`` on its command line, after giving the killed their moment to go."""
    end = time.monotonic() + seconds
    while (found := _processes_with(word)) and time.monotonic() < end:
        time.sleep(0.01)
    return found


def _processes_with(word: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if word.encode() in path.read_bytes():
                found.append(int(path.parent.name))
        except OSError:
            continue
    return found


@pytest.mark.parametrize(
    "limits", [Limits(seconds=60, stall=1), Limits(seconds=1, stall=60)], ids=["no progress", "wall clock"]
)
def test_a_server_that_says_nothing_is_given_up(limits: Limits) -> None:
    with tarpit() as host:
        source, allowed = parse(f"http://{host}/r"), Policy(allow=frozenset([host]))
        with pytest.raises(S2IError) as caught, fetch(source, policy=allowed, limits=limits):
            pass
        assert (caught.value.code, caught.value.exit) == ("E_GIT_TIMEOUT", 75)
        assert processes_with(host) == []


def test_a_fetch_is_cancelled(server: GitServer) -> None:
    cancelled = threading.Event()
    threading.Timer(0.3, cancelled.set).start()
    with tarpit() as host:
        source, allowed = parse(f"http://{host}/r"), Policy(allow=frozenset([host]))
        with pytest.raises(S2IError) as caught, fetch(source, policy=allowed, cancelled=cancelled):
            pass
        assert (caught.value.code, caught.value.exit) == ("E_CANCELLED", 130)
        assert processes_with(host) == []


def stub(folder: Path, name: str, script: str) -> Path:
    """Put a program called ``name`` into ``folder``, which a test puts first on PATH."""
    folder.mkdir(exist_ok=True)
    program = folder / name
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return program


def test_ssh_gets_our_options_and_none_of_the_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = tmp_path / "seen"
    stub(tmp_path / "bin", "ssh", f'for word; do printf "%s\\n" "$word"; done > {shlex.quote(str(seen))}; exit 255')
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(S2IError) as caught, fetch(parse("ssh://git@host.invalid:2222/o/r"), policy=Policy()):
        pass
    assert caught.value.code == "E_GIT_AUTH" or caught.value.code == "E_GIT"
    words = seen.read_text().splitlines()
    assert words[:2] == ["-F", "/dev/null"]
    assert [word for word in words if "=" in word] == [
        *("BatchMode=yes", "StrictHostKeyChecking=yes", "ProxyCommand=none"),
        *("PermitLocalCommand=no", "ClearAllForwardings=yes", "ConnectTimeout=20", "SendEnv=GIT_PROTOCOL"),
    ]
    assert words[-4:-1] == ["-p", "2222", "git@host.invalid"]


@pytest.mark.parametrize(
    "text",
    [
        "ext::sh -c touch% {0}",
        "--upload-pack=touch {0};",
        "-utouch {0};",
        "ssh://-oProxyCommand=touch%20{0}/r",
        "fd::17",
        "file://{0}",
        "https://host/r@--upload-pack=touch {0}",
        "https://host/r%0atouch",
        "https://host/r@x;touch${{IFS}}{0};",
    ],
)
def test_no_text_of_a_source_becomes_a_command(tmp_path: Path, text: str) -> None:
    canary = tmp_path / "canary"
    with pytest.raises(S2IError) as caught, fetch(parse(text.format(canary)), policy=Policy()):
        pass
    assert (caught.value.exit, canary.exists()) == (2, False)


def test_the_hardening_holds_when_a_url_gets_past_the_parser(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    site = clone.git.Site(tmp_path, SHORT, clone.git.Remote.of("https://host/r"))
    for url in (f"ext::sh -c touch% {canary}", f"file://{tmp_path}", "http://127.0.0.1:1/r"):
        done = clone.git.run(site, "ls-remote", "--", url, talks=True)
        assert b"' not allowed" in done.err
    assert not canary.exists()


@pytest.mark.parametrize("name", [b".git", b"..", b"a/b", b".GIT", b"git~1"])
def test_a_tree_with_a_dangerous_name_is_refused(server: GitServer, name: bytes) -> None:
    folder = repository(server.root / "r")
    raw_repository(folder, ("100644", name, raw(folder, "blob", b"x")))
    error = refusal(server, "r")
    assert (error.code, error.exit) == ("E_GIT_FSCK", 3)


def test_a_bomb_of_a_few_objects_is_counted_before_anything_is_written(server: GitServer) -> None:
    folder = repository(server.root / "r")
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=b"x")
    entries = "".join(f"100644 blob {blob}\tf{i}\n" for i in range(10))
    for _ in range(10):
        tree = git(folder, "mktree", stdin=entries.encode())
        entries = "".join(f"040000 tree {tree}\td{i}\n" for i in range(10))
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", "-m", "bomb", tree))
    error = refusal(server, "r")
    assert (error.code, error.exit) == ("E_TOO_MANY_FILES", 3)
    assert error.message == "the source has more than 20,000 files; the limit is 20,000"


def test_a_huge_file_is_refused_before_the_checkout(server: GitServer, monkeypatch: pytest.MonkeyPatch) -> None:
    served(server, files={"app.py": "x", "zeros": b"\0" * (80 << 20)})
    monkeypatch.setattr(clone, "_check_out", lambda *_: pytest.fail("it was checked out"))
    error = refusal(server, "r", limits=Limits(size=50 << 20))
    assert (error.code, error.message) == ("E_TREE_TOO_BIG", "the source has 83,886,081 bytes; the limit is 52,428,800")


def test_a_pack_that_grows_past_the_limit_is_cut(server: GitServer) -> None:
    import random

    served(server, files={"noise": random.Random(1).randbytes(66 << 20)})
    error = refusal(server, "r", limits=Limits(size=1 << 20))
    assert (error.code, error.exit) == ("E_TREE_TOO_BIG", 3)
    assert error.message == "the source has more than 1,048,576 bytes; the limit is 1,048,576"


def test_tracked_links_out_of_the_tree_show_nothing_of_the_host(server: GitServer) -> None:
    folder = repository(server.root / "r")
    (folder / "requirements.txt").symlink_to("/etc/passwd")
    (folder / "app.py").symlink_to("../../../../../../etc/shadow")
    (folder / "real.txt").write_text("flask\n")
    (folder / "near.txt").symlink_to("real.txt")
    commit(folder, {})
    with fetched(server, "r") as tree:
        assert list(tree.paths()) == ["near.txt", "real.txt"]
        assert tree.read("near.txt") == b"flask\n"
        for path in ("requirements.txt", "app.py"):
            assert path in tree
            with pytest.raises(S2IError, match="leads out of the source") as caught:
                tree.read(path)
            assert (caught.value.code, caught.value.exit) == ("E_PATH_ESCAPE", 3)
        assert [path for path in tree.root.rglob("*") if path.is_symlink()] == []


def test_a_repository_of_links_out_of_it_still_names_them(server: GitServer) -> None:
    folder = repository(server.root / "r")
    (folder / "requirements.txt").symlink_to("/etc/passwd")
    commit(folder, {})
    with fetched(server, "r") as tree:
        assert (list(tree.paths()), "requirements.txt" in tree) == ([], True)


def test_submodules_are_not_fetched_and_that_is_said(server: GitServer, tmp_path: Path) -> None:
    folder = served(server)
    canary = tmp_path / "canary"
    modules = f'[submodule "s"]\n path = s\n url = ext::sh -c touch% {canary}\n'
    head = git(folder, "rev-parse", "HEAD")
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{head},s")
    (folder / "s").mkdir()
    (folder / ".gitmodules").write_text(modules)
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "-q", "-m", "s")
    errors, found = [], []
    try:
        with fetched(server, "r") as tree:
            found = [notice.message for notice in tree.notices]
    except S2IError as error:
        errors = [error.code]
    assert errors in (["E_GIT_FSCK"], ["E_SUBMODULE"]) or found == [
        "submodules are not fetched, their folders are empty: s"
    ]
    assert not canary.exists()


def test_a_plain_submodule_gives_a_notice(server: GitServer) -> None:
    folder = served(server)
    (folder / ".gitmodules").write_text('[submodule "s"]\n\tpath = s\n\turl = https://host.invalid/o/r\n')
    git(folder, "update-index", "--add", "--cacheinfo", f"160000,{git(folder, 'rev-parse', 'HEAD')},s")
    (folder / "s").mkdir()
    git(folder, "add", ".gitmodules")
    git(folder, "commit", "-q", "-m", "s")
    with fetched(server, "r") as tree:
        assert [notice.code for notice in tree.notices] == ["W_SUBMODULE"]


@pytest.mark.parametrize(
    "modules",
    ['[submodule "../../x"]\n path = sub\n url = x\n', '[submodule "y"]\n path = y\n url = -u./payload\n'],
)
def test_malicious_submodules_are_refused(server: GitServer, modules: str) -> None:
    served(server, files={**APP, ".gitmodules": modules})
    assert refusal(server, "r").code == "E_GIT_FSCK"


def test_a_gitmodules_that_is_a_link_is_not_read(server: GitServer) -> None:
    folder = repository(server.root / "r")
    target = git(folder, "hash-object", "-w", "--stdin", stdin=b"/etc/passwd")
    tree = git(folder, "mktree", stdin=f"120000 blob {target}\t.gitmodules\n".encode())
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", "-m", "s", tree))
    assert refusal(server, "r").code == "E_GIT_FSCK"


def test_lfs_filters_do_not_run_and_pointers_are_named(
    server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    canary = tmp_path / "canary"
    stub(tmp_path / "bin", "git-lfs", f"touch {shlex.quote(str(canary))}; cat")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'a' * 64}\nsize 12345\n"
    served(server, files={**APP, "model.bin": pointer, ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs -text\n"})
    with fetched(server, "r") as tree:
        assert [(notice.code, notice.where) for notice in tree.notices] == [("W_LFS", "model.bin")]
        assert tree.text("model.bin") == pointer
    assert not canary.exists()


def test_attributes_run_nothing_and_break_nothing(server: GitServer) -> None:
    attributes = "*.py filter=x diff=x export-subst eol=crlf\n*.md working-tree-encoding=UTF-16BE-BOM\n"
    folder = served(server)
    blob = git(folder, "hash-object", "-w", "--stdin", stdin=attributes.encode())
    git(folder, "update-index", "--add", "--cacheinfo", f"100644,{blob},.gitattributes")
    git(folder, "update-ref", "refs/heads/main", git(folder, "commit-tree", "-m", "a", git(folder, "write-tree")))
    with fetched(server, "r") as tree:
        assert tree.text("app.py").strip() == "x = 1"


def test_hooks_of_the_server_side_do_not_come_along(server: GitServer, tmp_path: Path) -> None:
    folder = served(server)
    canary = tmp_path / "canary"
    for name in ("post-checkout", "post-merge", "reference-transaction"):
        stub(folder / ".git/hooks", name, f"touch {shlex.quote(str(canary))}")
    with fetched(server, "r") as tree:
        assert "app.py" in tree
    assert not canary.exists()


def test_a_branch_with_shell_text_is_no_trouble_for_its_neighbours(server: GitServer, tmp_path: Path) -> None:
    folder = served(server)
    canary = tmp_path / "canary"
    head = git(folder, "rev-parse", "HEAD")
    for name in (f"x;touch${{IFS}}{canary};#", "--upload-pack=x", "esc\u202e"):
        git(folder, "update-ref", f"refs/heads/{name}", head)
    git(folder, "update-ref", "refs/heads/main", head)
    with fetched(server, "r") as tree:
        assert tree.origin.ref == "main"
    message = refusal(server, "r@es").message
    assert ("\\u202e" in message, "\u202e" in message, canary.exists()) == (True, False, False)


def test_hostile_names_of_files_survive(server: GitServer) -> None:
    served(server, files={"app.py": "x", "a\nRUN touch b": "1", "-rf": "2", "$(id)`id`": "3"})
    with fetched(server, "r") as tree:
        assert [tree.read(path) for path in tree.paths()] == [b"3", b"2", b"1", b"x"]


def test_executables_stay_executable_and_setuid_does_not(server: GitServer) -> None:
    folder = served(server)
    (folder / "run.sh").write_text("x")
    (folder / "run.sh").chmod(stat.S_ISUID | 0o755)
    commit(folder, {})
    with fetched(server, "r") as tree:
        assert {entry.path: entry.executable for entry in tree.files}["run.sh"] is True


def test_ctrl_c_while_the_tree_is_used_leaves_nothing(server: GitServer) -> None:
    served(server)

    def work() -> None:
        with fetched(server, "r"):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_whole_program_that_is_interrupted_leaves_nothing(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom s2i.sources import *\n"
        "print('go', flush=True)\n"
        "with fetch(parse(sys.argv[1]), policy=Policy(allow=frozenset([sys.argv[2]]))): pass\n"
    )
    with tarpit() as host:
        started = threading.Event()
        code_of = shell.stream(
            (sys.executable, "-c", code, f"http://{host}/r", host),
            lambda _line: started.set(),
            timeout=60,
            cancelled=started,
        )
        assert (code_of != 0, processes_with(host)) == (True, [])
