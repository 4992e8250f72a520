"""The steps that bring Debian packages into an image: the build stage has apt, the runtime base has not.

So apt, in the build stage, works out and downloads what the runtime base lacks; the files are unpacked in a folder
of their own and copied over the base. Its scripts stand beside this file, and in the Dockerfile as they are.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from buildpacks.python.system import System
from s2i.planning.plan import Base, Copy, Mount, Run, Stage, Step

ROOT = "/opt/system"
_QUIET = (("DEBIAN_FRONTEND", "noninteractive"),)


def build_steps(base: Base, system: System, trust: Mount, stage: Stage) -> Iterator[Step]:
    """Yield the steps that need apt, in ``stage``. ``trust`` is the machine's CA bundle: a mirror may speak https."""
    mounts = (
        Mount("cache", "/var/lib/apt/lists", id=f"s2i-apt-lists-{base.python}", locked=True),
        Mount("cache", "/var/cache/apt", id=f"s2i-apt-cache-{base.python}", locked=True),
        trust,
    )
    if system.build:
        why = f"Install what {_names(system.compiled, 'is', 'are')} compiled with"
        argv = ("sh", "-c", script("install"), "sh", *system.build)
        yield Run(stage, why if system.compiled else "Install build-packages", argv, _QUIET, mounts)
    if system.run:
        yield Copy(
            stage, "Get the list of what the image has already", ("/var/lib/dpkg/",), "/opt/base/", image=base.runtime
        )
        why = f"Fetch what {_names(system.served, 'needs', 'need')} to run" if system.served else "Fetch run-packages"
        yield Run(stage, why, ("sh", "-c", script("collect"), "sh", *system.run), _QUIET, mounts)


def runtime_steps(system: System, stage: Stage) -> Iterator[Step]:
    """Yield the steps of the runtime stage; ``stage`` has the packages."""
    if system.run:
        named = ", ".join(system.run) if len(system.run) <= 3 else f"{', '.join(system.run[:3])} and more"
        yield Copy("runtime", f"Copy system packages: {named}", (f"{ROOT}/",), "/", from_stage=stage)
        yield Run("runtime", "Make them known to the loader", ("sh", "-c", script("finish")))


def script(name: str) -> str:
    """Return a script of ours. Each line of it ends with ; or a word that goes on: a Dockerfile makes one of them."""
    lines = Path(__file__).with_name(f"{name}.sh").read_text().splitlines()
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _names(names: tuple[str, ...], one: str, many: str) -> str:
    """Return the names with the verb that fits: ``one`` behind a single name, ``many`` behind more."""
    if len(names) > 3:
        return f"{', '.join(names[:3])} and others {many}"
    return f"{' and '.join(names)} {one if len(names) == 1 else many}"
