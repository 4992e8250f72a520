"""Tokens and their roles in projects. Of a token there is its SHA-256, and nothing that it could be made from."""

from __future__ import annotations

import msgspec

from s2i.control.store.database import Database
from s2i.errors import E_NO_TOKEN, E_TOKEN_NAME
from s2i.resources.people import Member, Role, Token


class People(Database):
    """The tokens and members of one server."""

    def tokens(self) -> tuple[Token, ...]:
        """Return every token, by name."""
        return self._all(Token, "SELECT doc FROM tokens ORDER BY name")

    def token(self, name: str) -> Token:
        """Return one. Raises E_NO_TOKEN."""
        if found := self._all(Token, "SELECT doc FROM tokens WHERE name = ?", name):
            return found[0]
        raise E_NO_TOKEN(name=name)

    def add_token(self, one: Token) -> None:
        """Record a new token. Raises E_TOKEN_NAME when there is one of its name."""
        with self._write() as db:
            if any(each.name == one.name for each in self.tokens()):
                raise E_TOKEN_NAME(name=one.name)
            db.execute("INSERT INTO tokens VALUES (?, ?, ?)", (one.name, one.digest, msgspec.json.encode(one)))

    def remove_token(self, name: str) -> None:
        """Remove a token and its roles. Raises E_NO_TOKEN."""
        with self._write() as db:
            self.token(name)
            db.execute("DELETE FROM tokens WHERE name = ?", (name,))
            db.execute("DELETE FROM members WHERE token = ?", (name,))

    def use_token(self, name: str, now: float) -> None:
        """Record when a token was used last; one that is gone meanwhile is passed over."""
        with self._write() as db:
            for one in self._all(Token, "SELECT doc FROM tokens WHERE name = ?", name):
                blob = msgspec.json.encode(msgspec.structs.replace(one, used=now))
                db.execute("UPDATE tokens SET doc = ? WHERE name = ?", (blob, name))

    def members(self, project: str = "") -> tuple[Member, ...]:
        """Return the members of a project, or of all, by project and token."""
        query = "SELECT project, token, role FROM members WHERE ? IN ('', project) ORDER BY project, token"
        with self._lock:
            rows = self._db.execute(query, (project,)).fetchall()
        return tuple(msgspec.convert(dict(zip(Member.__struct_fields__, row, strict=True)), Member) for row in rows)

    def set_member(self, project: str, token: str, role: Role) -> Member:
        """Give a token a role in a project, in the place of what it had; return that. Raises E_NO_TOKEN."""
        with self._write() as db:
            self.token(token)
            db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?)", (project, token, role))
        return Member(project, token, role)

    def remove_member(self, project: str, token: str) -> None:
        """Take a token its role in a project. Raises E_NO_TOKEN when it has none."""
        with self._write() as db:
            gone = db.execute("DELETE FROM members WHERE project = ? AND token = ?", (project, token)).rowcount
            if not gone:
                raise E_NO_TOKEN(name=token, advice=f"`s2i project member list {project}` shows its members")
