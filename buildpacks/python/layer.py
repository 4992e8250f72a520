"""What each stage of the environment ends with: the files that it added, in a folder of their own, as they are shipped.

A stage starts from the one before it, so what is new in it has to be told from what was there. Files that an earlier
stage has shipped bear the date that all files of a layer get; what an installer writes bears the time of the build.
The same files with the same times and the same bytecode make the same layer, on whatever day they are built.
"""

from __future__ import annotations

from buildpacks.python.install import VENV
from buildpacks.python.prune import Pruned
from s2i.planning.plan import Copy, Run, Stage, Words

# Not 0: ZIP, and with it what packs installed packages at run time, begins in 1980. (So do staged sources.)
DATE, NEXT_DAY, EPOCH = "1980-01-02", "1980-01-03", 315_619_200
# Of the code that is shipped, and bytecode that holds without a look at the time of its source.
_COMPILE = """from compileall import compile_dir;
from py_compile import PycInvalidationMode;
compile_dir("{folder}", ddir="{known}", workers=0, quiet=2,
invalidation_mode=PycInvalidationMode.UNCHECKED_HASH)"""
# /dev/shm is a mount of the step's own: the stamp is in no layer. Only what is new is touched, as to touch is to copy.
_STAMP = "/dev/shm/began"  # noqa: S108 - in a step of the build
_SETTLE = f"""import os;
began = os.stat("{_STAMP}").st_mtime;
inside = [(folder, name) for folder, _, names in os.walk("ROOT") for name in (*names, ".")];
written = [path for path in map("/".join, reversed(inside)) if os.lstat(path).st_mtime >= began];
[os.utime(path, ({EPOCH}, {EPOCH}), follow_symlinks=False) for path in written]"""
_LOCK = f"{VENV}/.lock"  # uv's, and anybody may write to it
QUIET_PYTHON = ("PYTHONDONTWRITEBYTECODE", "1")  # bytecode of a step's own imports would bear the time of the build


def folder(stage: Stage) -> str:
    """Return the folder that holds what ``stage`` adds to the image, from the root on."""
    return f"/out/{stage}"


def collected(stage: Stage, python: str, pruned: Pruned) -> tuple[Words, ...]:
    """Return the commands that end a stage: what it added is linked to its folder, compiled, and given one date."""
    out = folder(stage)
    # Not --archive: cp 9.1 (Debian 12) then looks for the folders in the wrong place. A link has all that its file has.
    link = ("-exec", "cp", "--no-dereference", "--link", "--parents", f"--target-directory={out}", "{}", "+")
    commands: list[Words] = [
        ("mkdir", "-p", out),
        ("find", VENV, "!", "-type", "d", "-newermt", NEXT_DAY, "!", "-path", _LOCK, *pruned.words, *link),
    ]
    if python != "3.6":  # which knows only bytecode that is compared with the time of its source
        commands.append((f"{VENV}/bin/python", "-c", _COMPILE.format(folder=f"{out}{VENV}/lib", known=f"{VENV}/lib")))
    commands.append(("find", out, "-exec", "touch", "--no-dereference", f"--date={DATE}", "{}", "+"))
    return tuple(commands)


def copy(stage: Stage, why: str) -> Copy:
    """Return the step that brings what ``stage`` added into the image, as one layer."""
    return Copy("runtime", why, (f"{folder(stage)}/",), "/", from_stage=stage)


def source_bytecode(root: str) -> Run:
    """Return the step that compiles the source in ``root``."""
    argv = ("python", "-c", _COMPILE.format(folder=root, known=root))
    return Run("runtime", "Compile the source here, once: it is large, and a running container cannot keep it", argv)


def settled(step: Run, root: str) -> Run:
    """Return a step of the runtime stage with what it writes below ``root`` given the date of all other files."""
    stamp = ("touch", _STAMP)
    settle = ("python", "-c", _SETTLE.replace("ROOT", root))
    return Run(step.stage, step.why, stamp, (*step.env, QUIET_PYTHON), step.mounts, (*step.commands, settle))
