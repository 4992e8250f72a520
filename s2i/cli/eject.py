"""`s2i eject SRC [DIR]`: a Dockerfile and a .dockerignore to keep, for building without s2i."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import click

from s2i import sources
from s2i.cli.dockerfile import base_option, on
from s2i.cli.plan import source_options
from s2i.errors import E_OVERWRITE, E_VALUE, escape
from s2i.planning.plan import BuildPlan

DOCKERFILE, IGNORE = "Dockerfile", ".dockerignore"


@click.command()
@click.option("--force", is_flag=True, help="Write over a Dockerfile and a .dockerignore that are there.")
@base_option("official")
@source_options
@click.argument("folder", required=False, metavar="[DIR]")
def eject(src: str, commit: str, context_dir: str, strategy: str, folder: str | None, base: str, force: bool) -> None:
    """Write a Dockerfile and a .dockerignore that build SRC without s2i: beside the code, or into DIR.

    They stand on base images that anybody can pull; --base here takes those of this machine. In DIR the rules
    are called Dockerfile.dockerignore, which BuildKit reads whatever folder is built.

    \b
    Example:  s2i eject ./src
              s2i eject https://github.com/someone/shop ./shop
    """
    source = sources.parse(src, commit=commit, context_dir=context_dir)
    if folder is None and not isinstance(source, sources.Folder):
        why = "its code is not on this machine, so name a folder for the files: s2i eject SRC DIR"
        raise E_VALUE(what="SRC", value=src, why=why, command="eject")
    with sources.fetch(source, policy=sources.Policy.of(os.environ)) as tree:
        files = _files(tree, src, strategy, base, apart=folder is not None)
        place = Path(folder) if folder is not None else _beside(src, tree, files.plan)
    for name in files.texts:
        _refuse_to_overwrite(place / name, force)
    _write(place, files.texts)
    _say_next(place, files, None if folder is None else source)


class _Files:
    """What is written: the texts by file name, and the plan that they come from."""

    def __init__(self, plan: BuildPlan, texts: dict[str, str]) -> None:
        self.plan, self.texts = plan, texts


def _files(tree: sources.Tree, src: str, strategy: str, base: str, *, apart: bool) -> _Files:
    from s2i.images.dockerfile import render
    from s2i.sources import dockerignore

    plan = on(base, tree, strategy)
    if plan.dockerfile:
        why = f"its own {plan.dockerfile} is what is built: it needs no other"
        raise E_VALUE(what="SRC", value=src, why=why, command="eject")
    built = tree.subtree(plan.subdir) if plan.subdir else tree
    ignored = f"{DOCKERFILE}{IGNORE}" if apart else IGNORE
    return _Files(plan, {DOCKERFILE: render(plan), ignored: dockerignore.text(built)})


def _beside(src: str, tree: sources.Tree, plan: BuildPlan) -> Path:
    """Return the folder that is built, as the user calls it when SRC is that very folder."""
    inner = Path(tree.origin.subdir, plan.subdir)
    return Path(src, plan.subdir) if not tree.origin.subdir else tree.anchor / inner


def _refuse_to_overwrite(path: Path, force: bool) -> None:
    if path.is_dir() and not path.is_symlink():
        raise E_OVERWRITE(path=path, why="it is a folder", fix="move it away")
    if not force and os.path.lexists(path):
        fix = "use --force (the rules of a .dockerignore are taken over), or name another folder: s2i eject SRC DIR"
        raise E_OVERWRITE(path=path, why="it is there already", fix=fix)


def _write(place: Path, texts: dict[str, str]) -> None:
    from s2i.cli import planfile

    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        why = error.strerror or str(error)
        raise E_OVERWRITE(path=place, why=why, fix="name a folder that you can write to") from None
    for name, text in texts.items():
        planfile.write(place / name, text.encode("utf-8", "replace"))
        click.echo(f"wrote {escape(place / name)}")


def _say_next(place: Path, files: _Files, apart: sources.Source | None) -> None:
    """Say how to build it, and what s2i does from now on."""
    where = shlex.quote(escape(place))
    if apart is None:
        line = f"docker build -t NAME {where}"
        then = "s2i goes on planning from the code, and says so; with `--strategy dockerfile` it builds this file"
    else:
        code = apart.path if isinstance(apart, sources.Folder) else "FOLDER"
        inner = "/".join(filter(None, (code, apart.subdir, files.plan.subdir)))
        line = f"docker build -t NAME -f {shlex.quote(escape(place / DOCKERFILE))} {shlex.quote(escape(inner))}"
        then = "put both files beside the code to keep them with it"
    click.echo(f"build it:  DOCKER_BUILDKIT=1 {line}", err=True)
    click.echo(f"then:      {then}", err=True)
