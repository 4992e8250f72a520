"""What a person has set: ``s2i.toml``, or ``[tool.s2i]`` in pyproject.toml."""

from __future__ import annotations

import re
from typing import Any, Literal

import msgspec

from s2i.errors import E_CONFIG, S2IError
from s2i.patterns import lazily
from s2i.planning import toml
from s2i.sources import Tree

FILE = "s2i.toml"
APPS = "app"
_ENTRY = lazily(
    r"[A-Za-z_][\w-]*(\.[A-Za-z_][\w-]*)*:[A-Za-z_]\w*(\(\))?|[A-Za-z0-9_][A-Za-z0-9._/-]*\.(py|ipynb)", re.ASCII
)
_WORD = lazily(r"[ -\[\]-~]+")  # what can stand in a Dockerfile: printable ASCII without the backslash
_FOLDER = lazily(r"[^/\x00-\x1f\x7f\\][^\x00-\x1f\x7f\\]*")
_PACKAGE = lazily(r"[a-z0-9][a-z0-9+.-]{1,99}")  # https://www.debian.org/doc/debian-policy/ch-controlfields.html
_MANAGER = lazily(r"[a-z0-9][a-z0-9._-]{0,39}")
_MOST = 100  # items of a list


class Settings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="kebab"):
    """Overrides of what would be inferred, by the name of the decision; empty where nothing was said.

    ``start`` is a whole command, for an entry that no rule can find; ``build_packages`` and ``run_packages`` are
    Debian packages beside those that the requirements are known to need.
    """

    entry: str = ""
    kind: Literal["", "wsgi", "asgi", "http", "job"] = ""
    python: str = ""
    manager: str = ""
    server: Literal["", "gunicorn", "hypercorn", "uvicorn"] = ""
    start: tuple[str, ...] = ()
    port: int = 0
    subdir: str = ""
    build_packages: tuple[str, ...] = ()
    run_packages: tuple[str, ...] = ()
    collectstatic: bool | None = None
    prune: bool | None = None


KEYS = tuple(field.encode_name for field in msgspec.structs.fields(Settings))  # as they are written in the file


class Given(msgspec.Struct, frozen=True):
    """Settings and the file they stand in ("" when there is none).

    ``seen``: the entry was, and is as it is written. ``locked``: only a lock says what to install.
    """

    settings: Settings = Settings()
    path: str = ""
    places: dict[str, str] = {}
    seen: bool = False
    locked: bool = False

    def where(self, tree: Tree, key: str) -> str:
        """Return ``file:line`` of a key, by its name in the file; of one that is not set, where it would stand."""
        return self.places.get(key) or _place(tree, self.path, key)

    def within(self, inner: Given) -> Given:
        """Return what holds in the folder that ``subdir`` names: its own settings, and these before them."""
        mine = {key: value for key, value in self.values().items() if key != "subdir"}
        values = inner.values() | mine
        places = inner.places | {key: self.places[key] for key in mine if key in self.places}
        settings = msgspec.convert(values, Settings)
        return Given(settings, self.path if mine else inner.path, places, self.seen, self.locked)

    def over(self, said: Given) -> Given:
        """Return what holds when these are known beside what the source says: these before it, its folder too."""
        made = self.within(said)
        if not self.settings.subdir or made.settings.subdir:
            return made
        places = {**made.places, "subdir": self.places.get("subdir", self.path)}
        settings = msgspec.structs.replace(made.settings, subdir=self.settings.subdir)
        return msgspec.structs.replace(made, settings=settings, places=places)

    def values(self) -> dict[str, Any]:
        """Return what was said, by key, as plain values; a key that was not said is not there."""
        plain = msgspec.to_builtins(self.settings)
        unset = msgspec.to_builtins(Settings())
        said = {key: value for key, value in plain.items() if value != unset[key]}
        return {key: list(value) if isinstance(value, tuple) else value for key, value in said.items()}


def read(tree: Tree) -> Given:
    """Return the settings of a source. Raises E_CONFIG, and what reading TOML raises (exit 3)."""
    for name in ("s2i.yaml", "s2i.yml", "s2i.json"):
        if name in tree:
            raise E_CONFIG(why="only TOML is read, where a value is what it looks like: name it s2i.toml", where=name)
    if FILE in tree:
        return _given(tree, toml.read(tree, FILE), FILE)
    if "pyproject.toml" in tree and re.search(rb"\bs2i\b", tree.read("pyproject.toml")):
        tool = toml.read(tree, "pyproject.toml").get("tool")
        if isinstance(tool, dict) and "s2i" in tool:
            return _given(tree, tool["s2i"], "pyproject.toml")
    return Given()


def _given(tree: Tree, table: object, path: str) -> Given:
    settings = _checked(tree, table, path)
    keys = [key for key in table if key in KEYS] if isinstance(table, dict) else []
    return Given(settings, path, {key: _place(tree, path, key) for key in keys})


def fits(key: str, value: object) -> bool:
    """Say whether ``value`` is one that ``key`` can have."""
    try:
        settings = msgspec.convert({key: value}, Settings)
    except msgspec.ValidationError:
        return False
    return _is_good(key, getattr(settings, key.replace("-", "_")))


def schema() -> dict[str, Any]:
    """Return the JSON Schema of s2i.toml, for editors. What ``_is_good`` asks beyond it stands in the descriptions."""
    from s2i.planning import known

    rows = known.settings()
    made = msgspec.json.schema(Settings)["$defs"]["Settings"]
    for key, field in made["properties"].items():
        field.pop("default", None)
        if "enum" in field:
            field["enum"] = [value for value in field["enum"] if value]
        if field.get("anyOf"):
            field.update(next(each for each in field.pop("anyOf") if each["type"] != "null"))
        field["description"] = f"{rows[key].about} It is {rows[key].form}."
    made["properties"][APPS] = _apps_schema()
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **made, "title": "s2i.toml", "description": "Settings of s2i; every key is optional."}


def _apps_schema() -> dict[str, Any]:
    from s2i.resources.declared import AppTable

    table = msgspec.json.decode(msgspec.json.encode(msgspec.json.schema(AppTable)["$defs"]["AppTable"]))
    about = "Apps by name, for `s2i apply`: the options of `s2i app create` as keys."
    return {"type": "object", "additionalProperties": {**table, "description": ""}, "description": about}


def _checked(tree: Tree, table: object, path: str) -> Settings:
    if not isinstance(table, dict):
        raise E_CONFIG(why="tool.s2i is no table", where=_place(tree, path, "s2i"))
    for key, value in table.items():
        if key == APPS and path == FILE:  # for `s2i apply`: how it runs is no matter of its image
            continue
        if key not in KEYS:
            raise E_CONFIG(why=f'there is no key "{key}"{_near(key)}', where=_place(tree, path, key))
        if not fits(key, value):
            raise _wrong(key, value, _place(tree, path, key))
    return msgspec.convert({key: value for key, value in table.items() if key in KEYS}, Settings)


def _is_good(key: str, value: Any) -> bool:
    """Say whether a value of the right type is one that can be used, as far as it alone tells."""
    match key:
        case "entry":
            return bool(_ENTRY.fullmatch(value)) and ".." not in value
        case "python":
            return 0 < len(value) <= 200 and bool(_WORD.fullmatch(value))
        case "manager":
            return bool(_MANAGER.fullmatch(value))
        case "kind" | "server":
            return bool(value)
        case "port":
            return bool(0 < value < 65536)
        case "subdir":
            parts = set(value.removesuffix("/").split("/"))
            return bool(_FOLDER.fullmatch(value) and parts.isdisjoint(("", ".", "..")))
        case "start":
            return 0 < len(value) <= _MOST and all(_WORD.fullmatch(word) and "<<" not in word for word in value)
        case "build-packages" | "run-packages":
            return len(value) <= _MOST and all(_PACKAGE.fullmatch(name) for name in value)
    return True


def _near(key: str) -> str:
    import difflib

    close = difflib.get_close_matches(key.lower().replace("_", "-"), KEYS, 1, 0.6)
    return f": did you mean {close[0]}?" if close else ""


def _wrong(key: str, value: object, where: str) -> S2IError:
    import json

    from s2i.planning import known

    row = known.settings()[key]
    try:
        shown = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):  # a date
        shown = str(value)
    return E_CONFIG(why=f"{key} cannot be {shown[:80]}: it is {row.form}", where=where)


def _place(tree: Tree, path: str, key: str) -> str:
    """Return ``path:line`` of a key; in pyproject.toml of the one below [tool.s2i]."""
    text = tree.read(path).decode(errors="replace")
    name = rf"(?:tool\s*\.\s*)?(?:s2i\s*\.\s*)?[\"']?{re.escape(key)}[\"']?\s*[=.\]]"
    table = ""
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if stripped.startswith("["):
            table = stripped
        elif (path == FILE or "s2i" in table + stripped) and re.search(rf"^{name}|[{{,]\s*{name}", stripped):
            return f"{path}:{number}"
    return toml.line_of(tree, path, "[tool.s2i") if path != FILE else path
