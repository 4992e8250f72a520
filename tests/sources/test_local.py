"""A folder is listed: what is in, what is left out, and what is refused."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from s2i.errors import S2IError
from s2i.sources import Limits, Tree
from s2i.sources.local import listing
from s2i.sources.walk import Walk


def write(folder: Path, *names: str, **contents: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(contents.get("text", "x\n"))
    return folder


def paths(folder: Path, subdir: str = "") -> list[str]:
    return list(listing(str(folder), subdir).paths())


def codes(tree: Tree) -> list[str]:
    return [notice.code for notice in tree.notices]


def refusal(path: object, subdir: str = "", limits: Limits | None = None) -> S2IError:
    with pytest.raises(S2IError) as caught:
        listing(str(path), subdir, limits)
    return caught.value


@pytest.fixture
def deep(tmp_path: Path) -> Path:
    """Make a folder with a file 1,500 levels down. Removed here: pytest's own clean-up recurses."""
    from s2i.sources.workspace import remove

    top = tmp_path / "deep"
    top.mkdir()
    here = os.open(top, os.O_RDONLY)
    for _ in range(1500):
        os.mkdir("a-long-name", dir_fd=here)
        below = os.open("a-long-name", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(os.open("app.py", os.O_WRONLY | os.O_CREAT, dir_fd=here))
    os.close(here)
    yield top
    remove(top)


def test_files_are_listed_sorted_with_size_and_mode(tmp_path: Path) -> None:
    write(tmp_path, "b.py", "a/z.py", "a.py")
    (tmp_path / "run.sh").write_text("12345")
    (tmp_path / "run.sh").chmod(0o4755)
    tree = listing(str(tmp_path))
    assert [(e.path, e.size, e.executable) for e in tree.files] == [
        ("a.py", 2, False),
        ("a/z.py", 2, False),
        ("b.py", 2, False),
        ("run.sh", 5, True),
    ]
    assert ("folder", str(tmp_path), "") == (tree.origin.kind, tree.origin.place, tree.origin.commit)
    assert tree.notices == ()


def test_what_no_service_needs_is_left_out(tmp_path: Path) -> None:
    write(
        tmp_path,
        "app.py",
        ".git/config",
        "sub/.git",
        ".venv/lib/python3.11/site-packages/flask/app.py",
        "env/pyvenv.cfg",
        "env/lib/x.py",
        "venv/kept.py",
        "node_modules/x/i.js",
        "__pycache__/app.cpython-311.pyc",
        "old.pyc",
        ".mypy_cache/x",
    )
    assert paths(tmp_path) == ["app.py", "venv/kept.py"]


def test_hostile_names_survive(tmp_path: Path) -> None:
    names = [
        b"x\nRUN touch INJECTED",
        b"$(touch x)`id`.py",
        b"-rf",
        b"n" * 255,
        b"caf\xe9.py",
        b"a\\b",
        b" ",
        b"\x1b[2J",
    ]
    for name in names:
        (tmp_path / os.fsdecode(name)).write_text("x=1")
    tree = listing(str(tmp_path))
    assert sorted(names) == sorted(os.fsencode(path) for path in tree.paths())
    assert all(tree.read(path) == b"x=1" for path in tree.paths())


def test_a_folder_of_any_name_is_listed(tmp_path: Path) -> None:
    assert paths(write(tmp_path / 'x";id;$(id)', "app.py")) == ["app.py"]


def test_links_are_never_followed_on_disk_and_a_circle_ends(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "d/x.py")
    (tmp_path / "d/up").symlink_to("..")
    (tmp_path / "d/self").symlink_to("self")
    tree = listing(str(tmp_path))
    assert (list(tree.paths()), codes(tree)) == (["app.py", "d/x.py"], ["W_LINK"])


def test_a_link_to_a_file_in_the_tree_is_listed_as_that_file(tmp_path: Path) -> None:
    write(tmp_path, "real/requirements.txt", text="flask\n")
    (tmp_path / "requirements.txt").symlink_to("real/requirements.txt")
    (tmp_path / "real/again").symlink_to("../requirements.txt")
    tree = listing(str(tmp_path))
    assert list(tree.paths()) == ["real/again", "real/requirements.txt", "requirements.txt"]
    assert (tree.read("requirements.txt"), tree.read("real/again")) == (b"flask\n", b"flask\n")
    assert tree.notices == ()


def test_a_link_out_of_the_tree_is_known_and_refused_when_it_is_read(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "requirements.txt").symlink_to("/etc/passwd")
    tree = listing(str(tmp_path))
    assert "requirements.txt" in tree
    assert list(tree.paths()) == ["app.py"]
    with pytest.raises(S2IError) as caught:
        tree.read("requirements.txt")
    assert (caught.value.code, caught.value.exit) == ("E_PATH_ESCAPE", 3)
    assert (
        str(caught.value)
        == "requirements.txt leads out of the source or to nothing in it (a link to /etc/passwd): it is not read"
    )


def test_a_link_to_a_secret_gives_nothing_of_it(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env")
    (tmp_path / "settings.txt").symlink_to(".env")
    tree = listing(str(tmp_path))
    assert (list(tree.paths()), codes(tree)) == (["app.py"], ["W_SECRET", "W_LINK"])
    with pytest.raises(S2IError, match="leads out of the source"):
        tree.read("settings.txt")


def test_what_is_no_regular_file_is_left_out_with_a_notice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "app.py")
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.undo()  # a socket in the file system is bound by its path: nobody is reached
    with socket.socket(socket.AF_UNIX) as listener:
        monkeypatch.chdir(tmp_path)
        listener.bind("sock")
        tree = listing(str(tmp_path))
    assert list(tree.paths()) == ["app.py"]
    assert tree.notices[0].message == "left out, as they are no regular files (FIFO, socket, device): pipe, sock"
    assert codes(tree) == ["W_SPECIAL"]


def test_secrets_are_left_out_with_a_notice(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env", ".env.local", ".netrc", ".pypirc", "pip.conf", ".ssh/id_rsa", "k/id_ed25519")
    write(tmp_path, ".env.example", "ca.pem", ".aws/credentials")
    (tmp_path / "server.key").write_text("-----BEGIN RSA PRIVATE KEY-----\n")
    tree = listing(str(tmp_path))
    assert list(tree.paths()) == [".env.example", "app.py", "ca.pem"]
    assert codes(tree) == ["W_SECRET"]
    assert tree.notices[0].message == (
        "left out, as they look like secrets (a line !NAME in .s2iignore takes one in): "
        ".aws/, .env, .env.local, .netrc, .pypirc, .ssh/, k/id_ed25519, pip.conf and 1 more"
    )


def test_a_single_secret_is_named_by_its_place_alone(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env")
    (notice,) = listing(str(tmp_path)).notices
    expected = "left out, as it looks like a secret (a line !NAME in .s2iignore takes it in)"
    assert (".env", expected) == (notice.where, notice.message)


def test_a_secret_comes_in_by_name_only(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env", "conf/.env.prod", ".netrc")
    (tmp_path / ".s2iignore").write_text("!.env\n!conf/.env.prod\n!.*\n!*\n")
    assert paths(tmp_path) == [".env", ".s2iignore", "app.py", "conf/.env.prod"]


def test_dockerignore_cannot_bring_secrets_or_git_back(tmp_path: Path) -> None:
    write(tmp_path, "app.py", ".env", ".git/config")
    (tmp_path / ".dockerignore").write_text("!.git\n!.env\n")
    assert paths(tmp_path) == [".dockerignore", "app.py"]


def test_gitignore_holds_at_its_place_and_the_nearest_decides(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "x.log", "build/a.py", "a/build/b.py", "a/x.log", "a/keep.log", "b/keep.log")
    (tmp_path / ".gitignore").write_text("*.log\n/build/\n# nothing\n\n")
    (tmp_path / "a/.gitignore").write_text("!keep.log\n")
    assert paths(tmp_path) == [".gitignore", "a/.gitignore", "a/build/b.py", "a/keep.log", "app.py"]


def test_git_looks_into_no_folder_that_is_left_out(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "out/keep.py")
    (tmp_path / ".gitignore").write_text("out/\n!out/keep.py\n")
    assert paths(tmp_path) == [".gitignore", "app.py"]


def test_docker_looks_into_a_folder_that_is_left_out_for_exceptions(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "out/keep.py", "out/gone.py", "a/gone.py")
    (tmp_path / ".dockerignore").write_text("# all\n out \n!out/keep.py\n./a/../a/\n")
    assert paths(tmp_path) == [".dockerignore", "app.py", "out/keep.py"]


def test_a_name_in_dockerignore_means_the_root_and_in_gitignore_any_folder(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "x.md", "a/x.md", "y.md", "a/y.md")
    (tmp_path / ".dockerignore").write_text("x.md\n")
    (tmp_path / ".gitignore").write_text("y.md\n")
    assert paths(tmp_path) == [".dockerignore", ".gitignore", "a/x.md", "app.py"]


def test_s2iignore_is_used_alone(tmp_path: Path) -> None:
    write(tmp_path, "app.py", "dist/a.js", "notes.txt", "sub/x.log")
    (tmp_path / ".gitignore").write_text("dist/\n")
    (tmp_path / "sub/.gitignore").write_text("*.log\n")
    (tmp_path / ".dockerignore").write_text("app.py\n")
    (tmp_path / ".s2iignore").write_text("notes.txt\n.*ignore\n")
    assert paths(tmp_path) == ["app.py", "dist/a.js", "sub/x.log"]


def test_an_ignore_file_of_nonsense_is_no_error(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / ".gitignore").write_bytes(b"\xef\xbb\xbf!\n/\n\\\n[\n\xff\xfe\nb***\n!\\\n" + b"a" * 5000)
    assert paths(tmp_path) == [".gitignore", "app.py"]


def test_rules_that_leave_out_everything_are_no_silent_empty_image(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    (tmp_path / ".dockerignore").write_text("*\n")
    error = refusal(tmp_path)
    assert (error.code, error.exit) == ("E_IGNORED_ALL", 4)
    assert f"nothing to build in {tmp_path}: .dockerignore leaves out every file" == str(error)


def test_a_folder_inside_is_a_tree_of_its_own_under_the_rules_above_it(tmp_path: Path) -> None:
    write(tmp_path, "other.py", "a/b/app.py", "a/b/x.log", "a/b/c/y.py")
    (tmp_path / ".gitignore").write_text("*.log\n")
    tree = listing(str(tmp_path), "a/b")
    assert list(tree.paths()) == ["app.py", "c/y.py"]
    assert (tree.read("app.py"), tree.read("c/y.py")) == (b"x\n", b"x\n")
    assert ("a/b", tmp_path / "a/b") == (tree.origin.subdir, tree.root)


def test_links_within_a_folder_inside_work_and_out_of_it_do_not(tmp_path: Path) -> None:
    write(tmp_path, "top.txt", "a/real.txt")
    (tmp_path / "a/in.txt").symlink_to("real.txt")
    (tmp_path / "a/out.txt").symlink_to("../top.txt")
    tree = listing(str(tmp_path), "a")
    assert (list(tree.paths()), tree.read("in.txt")) == (["in.txt", "real.txt"], b"x\n")
    with pytest.raises(S2IError, match="leads out of the source"):
        tree.read("out.txt")


@pytest.mark.parametrize("subdir", ["nope", "a/nope", "app.py", "link"])
def test_a_missing_folder_inside_is_refused_with_those_there(tmp_path: Path, subdir: str) -> None:
    write(tmp_path, "app.py", "a/b/x.py", "c/x.py", ".git/x")
    (tmp_path / "link").symlink_to("a")
    error = refusal(tmp_path, subdir)
    there = "a/b" if subdir.startswith("a/") else "a, c"
    assert (error.code, error.exit) == ("E_SUBDIR", 3)
    assert f"there is no folder {subdir} in {tmp_path}; folders there: {there}" == str(error)


def test_a_folder_with_a_fragment_is_told_from_a_url(tmp_path: Path) -> None:
    write(tmp_path, "file.txt")
    error = refusal(f"{tmp_path}#api")
    assert (error.code, error.advice) == (
        "E_SOURCE",
        f"# goes with a Git URL; of a folder say: {tmp_path} --context-dir api",
    )


def test_what_is_no_folder_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "file.txt")
    monkeypatch.setenv("HOME", str(tmp_path))
    found = [refusal(path) for path in (tmp_path / "file.txt", tmp_path / "missing", "/", tmp_path, "x" * 300)]
    assert [(error.code, error.exit) for error in found] == [("E_SOURCE", 2)] * 5
    assert f'cannot use "{tmp_path}/missing" as a source: no such directory' == str(found[1])
    home = "it is the root of the system or your home folder, not a project"
    assert f'cannot use "/" as a source: {home}' == str(found[2])


def test_a_url_without_its_scheme_gets_the_right_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    advice = "for a Git repository, put https:// in front: https://github.com/o/r"
    assert advice == refusal("github.com/o/r").advice
    assert advice not in refusal("./missing").advice


def test_an_empty_folder_has_nothing_to_build(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    write(tmp_path, ".git/HEAD", "x.pyc")
    error = refusal(tmp_path)
    assert (error.code, error.exit) == ("E_EMPTY", 4)


def test_a_bare_repository_is_refused_with_a_hint(tmp_path: Path) -> None:
    write(tmp_path, "HEAD", "config", "objects/x", "refs/x")
    error = refusal(tmp_path)
    assert (error.code, error.exit) == ("E_BARE", 3)
    assert error.advice == "clone it and give the clone, or give the repository's Git URL"


def test_too_many_files_are_refused_with_the_count_and_where_they_are(tmp_path: Path) -> None:
    write(tmp_path, "app.py", *(f"data/{i}" for i in range(30)))
    error = refusal(tmp_path, limits=Limits(files=20))
    assert (error.code, error.exit) == ("E_TOO_MANY_FILES", 3)
    assert str(error) == "the source has 32 files; the limit is 20 (data/ has 30)"


def test_far_too_many_files_are_not_counted_to_the_end(tmp_path: Path) -> None:
    write(tmp_path, *(f"data/{i}" for i in range(30)))
    assert "the source has more than 21 files" in str(refusal(tmp_path, limits=Limits(files=2)))


def test_endless_empty_folders_are_refused(tmp_path: Path) -> None:
    for i in range(30):
        (tmp_path / f"{i}").mkdir()
    assert refusal(tmp_path, limits=Limits(files=2)).code == "E_TOO_MANY_FILES"


def test_a_sparse_file_counts_by_what_it_claims(tmp_path: Path) -> None:
    write(tmp_path, "app.py")
    with (tmp_path / "big.bin").open("wb") as big:
        big.truncate(10 << 30)
    error = refusal(tmp_path)
    assert (error.code, error.exit) == ("E_TREE_TOO_BIG", 3)
    expected = (
        "the source has 10,737,418,242 bytes; the limit is 1,073,741,824 (big.bin has 10,737,418,240, app.py has 2)"
    )
    assert expected == str(error)


def test_hard_links_count_each(tmp_path: Path) -> None:
    write(tmp_path, "h0")
    for i in range(50):
        (tmp_path / f"l{i}").hardlink_to(tmp_path / "h0")
    assert sum(entry.size for entry in listing(str(tmp_path)).files) == 102


def test_a_tree_1500_levels_deep_is_listed_and_read(deep: Path) -> None:
    tree = listing(str(deep), limits=Limits(path=1 << 20))
    (path,) = tree.paths()
    assert (path.count("/"), tree.read(path)) == (1500, b"")


def test_a_tree_deeper_than_an_image_can_hold_is_refused(deep: Path) -> None:
    error = refusal(deep)
    assert (error.code, error.exit) == ("E_PATH_LONG", 3)
    name = "a-long-name/" * 5
    assert str(error) == f"{name}… (3804 characters) is a path of more than 3,800 bytes: no image can hold it"


def test_listing_leaves_no_descriptor_open(tmp_path: Path) -> None:
    write(tmp_path, "a/b/app.py", "c/d/e.py")
    before = len(list(Path("/proc/self/fd").iterdir()))
    listing(str(tmp_path)).read("a/b/app.py")
    listing(str(tmp_path), "a").digest()
    for limits, subdir in ((Limits(files=1), ""), (Limits(size=1), ""), (Limits(), "c/x")):
        refusal(tmp_path, subdir, limits)
    assert before == len(list(Path("/proc/self/fd").iterdir()))


def test_what_goes_while_the_folder_is_listed_is_not_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "app.py", "gone.txt")
    (tmp_path / "link").symlink_to("app.py")
    take = Walk._take

    def remove_first(walk: Walk, folder: int, entry: os.DirEntry[str], at: str) -> bool:
        if entry.name in ("gone.txt", "link"):
            (tmp_path / entry.name).unlink()
        return take(walk, folder, entry, at)

    monkeypatch.setattr(Walk, "_take", remove_first)
    assert paths(tmp_path) == ["app.py"]


def test_a_link_that_becomes_a_file_while_it_is_listed_is_a_changed_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "app.py")
    (tmp_path / "link").symlink_to("app.py")
    link = Walk._link

    def replace_first(walk: Walk, folder: int, entry: os.DirEntry[str], at: str) -> None:
        (tmp_path / "link").unlink()
        write(tmp_path, "link")
        link(walk, folder, entry, at)

    monkeypatch.setattr(Walk, "_link", replace_first)
    error = refusal(tmp_path)
    assert (error.code, error.exit) == ("E_TREE_CHANGED", 3)
    assert str(error) == "link changed while the source was read: Invalid argument"


def test_what_the_kernel_makes_up_is_no_source() -> None:
    assert [refusal(path).code for path in ("/proc/self", "/proc", "/sys/kernel")] == ["E_SOURCE"] * 3
