"""Secrets and configmaps at work: sealed in the store with a key that is not in it, opened when a container starts."""

from __future__ import annotations

import base64
import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import msgspec

from s2i import dirs
from s2i.control.store import Store
from s2i.engines.engine import Workload
from s2i.errors import E_BUNDLE_USED, E_MOUNT, E_NOT_FOUND, E_REFERENCE, E_SEAL, S2IError
from s2i.resources import mounts
from s2i.resources.app import Config, Opened
from s2i.resources.bundle import Bundle, BundleKind, EnvFrom, Values, checked_bundle, checked_reference, variables
from s2i.resources.mounts import Files, Mount
from s2i.resources.secret import Secret
from s2i.resources.service import joined

KEY_FILE = "secrets.key"

R = TypeVar("R", EnvFrom, Mount)


class _Content(msgspec.Struct, frozen=True):
    """What is sealed: the values, and whose they are, so that no row passes for another."""

    of: str
    values: dict[str, bytes]


class Vault:
    """The secrets and configmaps of one server. Usable from many threads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def put(self, one: Bundle, values: Values, now: float) -> Bundle:
        """Keep a new one, or the next version of one that is there; return it. Raises E_BUNDLE, E_SEAL."""
        checked = checked_bundle(one, values)
        made = msgspec.structs.replace(checked, changed=now, created=checked.created or now)
        return self._store.put_bundle(made, self._sealed(made, values))

    def values(self, one: Bundle, version: int = 0) -> dict[str, bytes]:
        """Return what it holds, in its newest version or another one. Raises E_REFERENCE, E_SEAL."""
        version = version or one.version
        sealed = self._store.sealed(one.project, one.kind, one.name, version)
        if not sealed:
            raise E_REFERENCE(kind=one.kind, value=one.name, why=f"its version {version} is no longer kept")
        return self._opened(one.project, one.kind, one.name, sealed)

    def pinned(self, project: str, config: Config, *, newest: bool = False, force: bool = False) -> Config:
        """Return ``config`` with the version of each bundle that it refers to; one that has it keeps it.

        ``newest``: none keeps it. With ``force`` what is not there is left for later.
        Raises E_REFERENCE, E_MOUNT, E_SEAL.
        """
        if not any(references(config)):
            return config
        env_from = tuple(self._pinned(project, one, newest=newest, force=force) for one in config.env_from)
        every = tuple(self._pinned(project, one, newest=newest, force=force) for one in config.mounts)
        return msgspec.structs.replace(config, env_from=env_from, mounts=every)

    def opened(self, project: str, config: Config) -> Opened:
        """Return ``config`` with what its references give; a variable that is set by itself goes before theirs.

        Raises E_REFERENCE, E_MOUNT, E_SEAL.
        """
        env: dict[str, str] = {}
        files: list[Files] = []
        for one in references(config):
            try:
                values = self._of(project, one)
                if isinstance(one, Mount):
                    files.append(mounts.files(one, values))
                else:
                    env |= joined(env, variables(one, values))
            except S2IError as error:
                # What was let pass while it was not there, and still is not, gives nothing.
                if one.version or error.kind not in (E_REFERENCE, E_MOUNT, E_NOT_FOUND):
                    raise
        env |= dict(config.env)
        given = {"env": tuple(env.items()), "env_from": (), "mounts": (), "files": tuple(files)}
        return Opened(**(msgspec.structs.asdict(config) | given))

    def work(self, work: Workload) -> Workload:
        """Return ``work`` as the engine is to run it. Raises E_REFERENCE, E_MOUNT, E_SEAL."""
        if not any(references(work.config)):
            return work
        return msgspec.structs.replace(work, config=self.opened(work.owner.project, work.config))

    def given(self, project: str, name: str) -> tuple[Secret, ...]:
        """Return every secret value that an app or a job of this name may have been given. Raises E_SEAL.

        Of each secret that it has referred to, in whichever version is kept; of one that is not known (any more), of
        all that its project has.
        """
        configs = [one.config for one in self._store.revisions(project, name)]
        configs += [one.config for one in self._store.runs(project, name)]
        configs += [one.config for one in self._store.jobs(project) if one.name == name]
        names = {one.name for config in configs for one in references(config) if one.kind == "secret"}
        every = [row for each in sorted(names) for row in self._store.every_sealed(project, "secret", each)]
        if not configs:
            every = self._store.every_sealed(project, "secret")
        found = [(of, self._opened(project, "secret", of, sealed)) for of, sealed in every]
        return tuple(Secret(f"{of}:{key}", value) for of, values in found for key, value in values.items())

    def outdated(self, project: str, config: Config) -> tuple[str, ...]:
        """Return what has another version than ``config`` has, in words: "secret db"."""
        found = []
        for one in references(config):
            with contextlib.suppress(S2IError):
                if one.version and self._store.bundle(project, one.kind, one.name).version != one.version:
                    found.append(f"{one.kind} {one.name}")
        return tuple(dict.fromkeys(found))

    def delete(self, project: str, kind: BundleKind, name: str, *, force: bool) -> None:
        """Delete one. Raises E_NOT_FOUND, E_BUNDLE_USED when an app or a job refers to it, unless ``force``."""
        self._store.bundle(project, kind, name)
        if (users := self.users(project, kind, name)) and not force:
            raise E_BUNDLE_USED(kind=kind, name=name, users=", ".join(users))
        self._store.delete_bundle(project, kind, name)
        self.tidy(project, kind, name)

    def users(self, project: str, kind: BundleKind, name: str) -> list[str]:
        """Return who refers to one, in words: "app shop", "job report"."""
        found = []
        for app in self._store.apps(project):
            every = {one.number: one for one in self._store.revisions(project, app.name)}
            serves = every.get(app.serving or app.target)
            if serves and _refers(serves.config, kind, name):
                found.append(f"app {app.name}")
        jobs = self._store.jobs(project)
        return found + [f"job {job.name}" for job in jobs if _refers(job.config, kind, name)]

    def tidy(self, project: str, kind: BundleKind, name: str) -> None:
        """Forget the versions that nothing can need any more."""
        with contextlib.suppress(S2IError):
            keep = {self._store.bundle(project, kind, name).version}
            self._forget(project, kind, name, keep)
            return
        self._forget(project, kind, name, set())

    def _forget(self, project: str, kind: BundleKind, name: str, keep: set[int]) -> None:
        configs = [run.config for run in self._store.open_runs() if run.project == project]
        for app in self._store.apps(project):
            configs += [one.config for one in self._store.revisions(project, app.name)]
        if any(one.version == 0 for config in configs for one in references(config) if _is(one, kind, name)):
            return  # what has started with the newest of its time may print that still: see given
        configs += [job.config for job in self._store.jobs(project)]
        keep |= {one.version for config in configs for one in references(config) if _is(one, kind, name)}
        self._store.forget_versions(project, kind, name, frozenset(keep))

    def _pinned(self, project: str, one: R, *, newest: bool, force: bool) -> R:
        mounts.checked(one) if isinstance(one, Mount) else checked_reference(one)
        if one.version and not newest:
            return one
        try:
            version = self._store.bundle(project, one.kind, one.name).version
            made = msgspec.structs.replace(one, version=version)
            values = self._of(project, made)
            # A key that is not there is told now, and not at the start.
            mounts.files(made, values) if isinstance(made, Mount) else variables(made, values)
        except S2IError as error:
            if force:
                return msgspec.structs.replace(one, version=0)
            if error.kind in (E_REFERENCE, E_MOUNT, E_SEAL):
                raise
            raise _refused(one, f"there is none in the project {project}") from None
        return made

    def _of(self, project: str, one: EnvFrom | Mount) -> dict[str, bytes]:
        if one.version:
            sealed = self._store.sealed(project, one.kind, one.name, one.version)
            if not sealed:
                raise _refused(one, f"its version {one.version} is no longer kept")
            return self._opened(project, one.kind, one.name, sealed)
        return self.values(self._store.bundle(project, one.kind, one.name))

    def _sealed(self, one: Bundle, values: Values) -> bytes:
        content = msgspec.json.encode(_Content(_whose(one.project, one.kind, one.name), dict(values)))
        return content if one.kind == "configmap" else _cipher(make=True).encrypt(content)

    def _opened(self, project: str, kind: BundleKind, name: str, sealed: bytes) -> dict[str, bytes]:
        from cryptography.fernet import InvalidToken

        try:
            content = sealed if kind == "configmap" else _cipher().decrypt(sealed)
            found = msgspec.json.decode(content, type=_Content)
        except InvalidToken:
            raise E_SEAL(path=_key_path(), why="it is not the key that they were sealed with") from None
        if found.of != _whose(project, kind, name):
            raise E_SEAL(path=_key_path(), why=f"what is kept of {kind} {name} is another's")
        return found.values


def references(config: Config) -> Iterator[EnvFrom | Mount]:
    """Yield what refers to a secret or a configmap."""
    yield from config.env_from
    yield from config.mounts


def unpinned(config: Config) -> Config:
    """Return ``config`` with the newest version of each bundle, whichever that is when a container starts."""
    env_from = tuple(msgspec.structs.replace(one, version=0) for one in config.env_from)
    every = tuple(msgspec.structs.replace(one, version=0) for one in config.mounts)
    return msgspec.structs.replace(config, env_from=env_from, mounts=every)


def _refused(one: EnvFrom | Mount, why: str) -> S2IError:
    value, kind = (mounts.written(one), E_MOUNT) if isinstance(one, Mount) else (one.name, E_REFERENCE)
    return kind(kind=one.kind, value=value, why=why)


def _refers(config: Config, kind: BundleKind, name: str) -> bool:
    return any(_is(one, kind, name) for one in references(config))


def _is(one: EnvFrom | Mount, kind: BundleKind, name: str) -> bool:
    return (one.kind, one.name) == (kind, name)


def _whose(project: str, kind: BundleKind, name: str) -> str:
    return f"{project}/{kind}/{name}"


def _key_path() -> Path:
    return dirs.state() / KEY_FILE


def _cipher(*, make: bool = False):  # type: ignore[no-untyped-def]  # a Fernet, imported where it is needed
    """Return what seals and opens secrets, with a new key when there is none and ``make``. Raises E_SEAL."""
    from cryptography.fernet import Fernet

    path = _key_path()
    if make and not path.exists():
        _make_key(path)
    try:
        return Fernet(path.read_bytes().strip())
    except FileNotFoundError:
        raise E_SEAL(path=path, why="it is not there") from None
    except (OSError, ValueError) as error:
        raise E_SEAL(path=path, why=error) from None


def _make_key(path: Path) -> None:
    """Write a new key, as a whole or not at all: half a one would be taken for that of all secrets from then on."""
    dirs.make_private(path.parent)
    draft = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(base64.urlsafe_b64encode(os.urandom(32)))
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):  # somebody was faster: that one counts
            os.link(draft, path)
    finally:
        draft.unlink(missing_ok=True)
