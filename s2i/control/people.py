"""The people of one server at work: who a token is, what it may do, and how that changes."""

from __future__ import annotations

import hmac
import threading
from collections.abc import Callable

import msgspec

from s2i.control.store import Store
from s2i.errors import E_NAME, E_TOKEN, S2IError
from s2i.resources.names import thing_name
from s2i.resources.people import OWNER, Caller, Member, Role, Token, digest_of, is_token, text_of

USED_SECONDS = 60.0  # between two records of when a token was used


class People:
    """Tokens and roles, kept in memory: each request asks, and nobody else writes them. Usable from many threads."""

    def __init__(self, store: Store, now: Callable[[], float]) -> None:
        self._store, self._now = store, now
        self.refused = 0  # requests without a good token
        self._lock = threading.Lock()
        self._tokens: dict[str, Token] = {}
        self._roles: dict[str, dict[str, Role]] = {}
        self.refresh()

    def refresh(self) -> None:
        """Read anew what the store has: after whatever changed it."""
        with self._lock:
            self._tokens = {one.digest: one for one in self._store.tokens()}
            roles: dict[str, dict[str, Role]] = {}
            for member in self._store.members():
                roles.setdefault(member.token, {})[member.project] = member.role
            self._roles = roles

    def create(self, name: str, random: bytes, *, admin: bool, seconds: float) -> tuple[Token, str]:
        """Make a token that holds for ``seconds`` (0.0: until it is revoked); return it and its text.

        Raises E_NAME, E_TOKEN_NAME.
        """
        if name == OWNER.name:  # who is that in the audit log is not to be asked
            raise E_NAME(what="token", value=name, why=": whoever has the server's socket is called that")
        text, now = text_of(random), self._now()
        made = Token(thing_name("token", name), digest_of(text), now, now + seconds if seconds else 0.0, admin=admin)
        self._store.add_token(made)
        self.refresh()
        return made, text

    def revoke(self, name: str) -> None:
        """Let a token hold no more, from now on. Raises E_NO_TOKEN."""
        self._store.remove_token(name)
        self.refresh()

    def caller(self, text: str, where: str) -> Caller:
        """Return who a token is. Raises E_TOKEN."""
        if not is_token(text):
            raise E_TOKEN(why="what came with it has not the form of one")
        digest = digest_of(text)
        found = self._tokens.get(digest)
        # That a digest is looked up tells nothing of the next: nobody can choose what a text's begins with.
        if found is None or not hmac.compare_digest(found.digest, digest):
            raise E_TOKEN(why="this one is not known, or was revoked")
        if not found.holds(self._now()):
            raise E_TOKEN(why="this one has expired")
        return Caller(found.name, where, found.admin, self._roles.get(found.name, {}))

    def still(self, name: str, project: str) -> bool:
        """Say whether a token holds still, and has a role in ``project``, "" for none that is asked for."""
        with self._lock:
            found = next((one for one in self._tokens.values() if one.name == name), None)
            roles = self._roles.get(name, {})
        if found is None or not found.holds(self._now()):
            return False
        return found.admin or not project or project in roles

    def is_due(self, name: str) -> bool:
        """Say whether the use of a token is to be recorded now: not when that was done a moment ago."""
        now = self._now()
        with self._lock:
            found = next((one for one in self._tokens.values() if one.name == name), None)
            if found is None or now - found.used < USED_SECONDS:
                return False
            self._tokens[found.digest] = msgspec.structs.replace(found, used=now)
            return True

    def record_use(self, name: str) -> None:
        """Write down that a token is used. A store that cannot be written to is no reason to refuse its holder."""
        try:
            self._store.use_token(name, self._now())
        except S2IError:
            return

    def join(self, project: str, token: str, role: Role) -> Member:
        """Give a token a role in a project, which is made by that when it came to be by its use.

        Raises E_NO_PROJECT, E_PROJECT_DELETED, E_NO_TOKEN.
        """
        now = self._now()
        with self._store.as_one():
            made = self._store.set_member(project, token, role)
            self._store.change_project(project, lambda one: msgspec.structs.replace(one, created=one.created or now))
        self.refresh()
        return made

    def leave(self, project: str, token: str) -> None:
        """Take a token its role in a project. Raises E_NO_TOKEN."""
        self._store.remove_member(project, token)
        self.refresh()
