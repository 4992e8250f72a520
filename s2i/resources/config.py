"""How an instance is run, parsed and checked once: environment, memory, CPU, port."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from s2i.errors import E_ENV, E_LIMIT, E_PORT, E_TRAFFIC, E_VALUE, S2IError
from s2i.patterns import lazily
from s2i.resources.app import Config, Routing, Scale
from s2i.resources.mounts import checked_all
from s2i.resources.volume import checked_all as checked_volumes

MEMORY_LEAST = 32 << 20  # Docker's own minimum is 6 MB; a Python that has imported a web framework needs about 25
CPU_LEAST = 0.1
VALUE_LIMIT = 128 << 10  # the kernel's MAX_ARG_STRLEN: execve refuses a longer KEY=VALUE

INSTANCES_MOST = 20  # a share of the traffic is a slot of the router, and there are so many
CONCURRENCY_MOST = 10_000
DELAY_MOST, WINDOW_LEAST = 3600.0, 6.0  # s; Knative's own limits
REQUEST_MOST = 3600.0  # s

# Set by the platform for every container, or able to load code into every process of it.
RESERVED = frozenset(
    {"PORT", "HOME", "PATH"}
    | {f"JOB_{one}" for one in ("INDEX", "ARRAY_SIZE", "INDEX_RETRY_COUNT", "RETRY_LIMIT", "MODE", "DATA")}
)
RESERVED_PREFIXES = ("LD_", "S2I_")

_KEY = lazily(r"[A-Za-z_][A-Za-z0-9_]{0,254}")
_MEMORY = lazily(r"([1-9][0-9]{0,14})([kKmMgG]?)")
_CPU = lazily(r"[0-9]{1,4}(\.[0-9]{1,3})?")
_PORT = lazily(r"[1-9][0-9]{0,4}")
_UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}


def parse_env(words: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """Parse ``KEY=VALUE`` words into pairs; the last of a key wins. Raises E_ENV."""
    pairs: dict[str, str] = {}
    for word in words:
        key, equals, value = word.partition("=")
        if not equals:
            raise E_ENV(value=word, why="it has no =", example=f"{_shown(word)}=VALUE")
        pairs[key] = value
    return checked_env(pairs.items())


def checked_env(pairs: Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    """Return the pairs when each can be given to a container. Raises E_ENV; the text never shows a value."""
    checked = tuple((key, value) for key, value in pairs)
    for key, value in checked:
        if why := _why_not(key, value):
            raise E_ENV(value=key, why=why, example="LOG_LEVEL=debug")
    return checked


def parse_memory(text: str, most: int | None = None, what: str = "--memory") -> int:
    """Parse ``512M`` (K, M, G of 1024, or bytes) into bytes, up to ``most`` (None: this machine's).

    ``what``: the option or setting that says so. Raises E_LIMIT.
    """
    found = _MEMORY.fullmatch(text)
    if not found:
        raise _memory_error(what, text, "it is not a number with K, M or G", most)
    return checked_memory(int(found[1]) * _UNITS[found[2].lower()], most, what, text)


def checked_memory(size: int, most: int | None = None, what: str = "memory", typed: str = "") -> int:
    """Return ``size`` in bytes when a container can have it. ``typed``: how it was written. Raises E_LIMIT."""
    if size < MEMORY_LEAST:
        raise _memory_error(what, typed or f"{size} bytes", "it is too little for Python", most)
    if size > (most or _host_memory()):
        raise _memory_error(what, typed or f"{size >> 20}M", "it is more than there is", most)
    return size


def parse_cpu(text: str, most: float | None = None, what: str = "--cpu") -> float:
    """Parse a number of cores (``0.5``), up to ``most`` (None: this machine's); ``what``: see parse_memory.

    Raises E_LIMIT.
    """
    if not _CPU.fullmatch(text):
        raise _cpu_error(what, text, "it is not a number like 0.5 or 2", most)
    return checked_cpu(float(text), most, what, text)


def checked_cpu(cores: float, most: float | None = None, what: str = "cpu", typed: str = "") -> float:
    """Return ``cores`` when a container can have them. Raises E_LIMIT."""
    if not CPU_LEAST <= cores <= (most or _host_cpus()):
        raise _cpu_error(what, typed or f"{cores:g}", "it is out of range", most)
    return cores


def parse_port(text: str) -> int:
    """Parse a TCP port from 1 to 65535. Raises E_PORT."""
    if not _PORT.fullmatch(text):
        raise E_PORT(value=text, why="it is not a number from 1 to 65535")
    return checked_port(int(text))


def split_protocol(text: str) -> tuple[str, bool | None]:
    """Return the port of ``h2c:8080`` or ``http1:8080``, and whether HTTP/2 is spoken there; None: it does not say."""
    kind, colon, port = text.partition(":")
    return (port, kind == "h2c") if colon and kind in ("h2c", "http1") else (text, None)


def parse_size(text: str, what: str, example: str = "10M") -> int:
    """Parse ``10M`` (K, M, G of 1024, or bytes) into bytes; 0 is no limit. Raises E_VALUE."""
    if text == "0":
        return 0
    if not (found := _MEMORY.fullmatch(text)):
        raise E_VALUE(what=what, value=text, why=f"it is not a number with K, M or G: {example}", command="app update")
    return int(found[1]) * _UNITS[found[2].lower()]


def http_port() -> int:
    """Return the port of the router, where people reach apps: S2I_HTTP_PORT, else 8080. Raises E_PORT."""
    return _port_of("S2I_HTTP_PORT", "8080")


def https_port() -> int:
    """Return the port of the router for HTTPS: S2I_HTTPS_PORT, else 8443; 0 when that is "off". Raises E_PORT."""
    return 0 if os.environ.get("S2I_HTTPS_PORT") == "off" else _port_of("S2I_HTTPS_PORT", "8443")


def _port_of(name: str, default: str) -> int:
    try:
        return parse_port(os.environ.get(name) or default)
    except S2IError as error:
        advice = f"set {name} to a number from 1 to 65535, or do not set it"
        raise E_PORT(advice=advice, where=name, **error.facts) from None


def checked_port(port: int) -> int:
    """Return ``port`` when it is one. Raises E_PORT."""
    if not 1 <= port <= 65535:
        raise E_PORT(value=port, why="there is no such port")
    return port


def parse_seconds(text: str, what: str = "--timeout", most: int = 86400) -> float:
    """Parse a whole number of seconds from 1 to ``most``. Raises E_LIMIT."""
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise E_LIMIT(what=what, value=text, why="it is not a number of seconds", least="1", most=most)
    return checked_seconds(float(text), what, most)


def checked_seconds(seconds: float, what: str = "timeout", most: int = 86400) -> float:
    """Return ``seconds`` when it is from 1 to ``most``. Raises E_LIMIT."""
    if not 1 <= seconds <= most:
        raise E_LIMIT(what=what, value=f"{seconds:g}", why="it is out of range", least="1", most=most)
    return seconds


def checked_scale(scale: Scale) -> Scale:
    """Return ``scale`` when an app can have it. Raises E_LIMIT."""
    _between("max-scale", scale.max, 1, INSTANCES_MOST)
    _between("min-scale", scale.min, 0, scale.max)
    _between("concurrency", scale.concurrency, 0, CONCURRENCY_MOST)
    _between("concurrency-target", scale.target, 0, scale.concurrency or CONCURRENCY_MOST)
    _between("scale-down-delay", scale.down_delay, 0, DELAY_MOST)
    _between("window", scale.window, WINDOW_LEAST, DELAY_MOST)
    return scale


def checked_routing(routing: Routing) -> Routing:
    """Return ``routing`` when an app can have it. Raises E_LIMIT."""
    _between("request-timeout", routing.request_timeout, 1, REQUEST_MOST)
    _between("body-limit", routing.body_limit, 0, 1 << 40)
    return routing


def checked_traffic(percents: tuple[tuple[int, int], ...]) -> tuple[tuple[int, int], ...]:
    """Return percents by revision when they can be had: () or 100 in all, in steps of 5. Raises E_TRAFFIC."""
    parts = dict(percents)
    shown = " ".join(f"r{number}={percent}" for number, percent in percents)
    if len(parts) != len(percents):
        raise E_TRAFFIC(what=shown, why="a revision is named twice")
    if any(percent <= 0 or percent % 5 for percent in parts.values()):
        raise E_TRAFFIC(what=shown, why="each part is a multiple of 5, and more than 0")
    if percents and sum(parts.values()) != 100:
        raise E_TRAFFIC(what=shown, why=f"the parts are {sum(parts.values())} in all, not 100")
    return percents


def _between(what: str, value: float, least: float, most: float) -> None:
    if not least <= value <= most:
        advice = f"the least is {least:g}, the most is {most:g}"
        shown = f"{value:g}" if isinstance(value, float) else value
        raise E_LIMIT(what=what, value=shown, why="it is out of range", advice=advice)


def checked_config(config: Config) -> Config:
    """Return ``config`` when all of it can be run: for what came over the wire.

    Raises E_ENV, E_LIMIT, E_PORT, E_MOUNT.
    """
    checked_env(config.env)
    checked_memory(config.memory)
    checked_cpu(config.cpu)
    checked_port(config.port)
    checked_volumes(config.volumes, checked_all(config.mounts))
    for what, words in (("command", config.command), ("arguments", config.arguments), ("release", config.release)):
        if any("\0" in word for word in words):
            raise E_VALUE(what=what, value=" ".join(words), why="it has a NUL byte", command="app update")
    return config


def _why_not(key: str, value: str) -> str:
    if not _KEY.fullmatch(key):
        return "its name has to be letters, digits and _, no digit first"
    if key in RESERVED or key.startswith(RESERVED_PREFIXES):
        return "it is reserved: the platform sets it"
    if "\0" in value:
        return "its value has a NUL byte"
    size = len(value.encode(errors="surrogateescape")) + len(key) + 2
    return f"its value has {size >> 10} KiB, more than 128" if size > VALUE_LIMIT else ""


def _shown(word: str) -> str:
    return word if _KEY.fullmatch(word) else "KEY"


def _memory_error(what: str, value: str, why: str, most: int | None) -> Exception:
    limits = {"least": f"{MEMORY_LEAST >> 20}M", "most": f"{(most or _host_memory()) >> 20}M"}
    return E_LIMIT(what=what, value=value, why=why, **limits)


def _cpu_error(what: str, value: str, why: str, most: float | None) -> Exception:
    return E_LIMIT(what=what, value=value, why=why, least=f"{CPU_LEAST:g}", most=f"{most or _host_cpus():g}")


def _host_memory() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _host_cpus() -> int:
    return os.cpu_count() or 1
