"""What runs inside of an image, by the image's own Python (3.6 or newer): sent as text, so it imports nothing of s2i.

    probe PORT SECONDS    ask the port until something answers HTTP
    classify ENTRY SECONDS  import the entry and say what it is
    resolve ARGV          find the program of a job, and run nothing

What it finds it says on lines that begin with MARK: whatever else is printed is the user's.
"""

import os
import sys

MARK = "s2i-proof"
ATTEMPT_SECONDS = 2.0  # for one answer, as the platform's own probe
PAUSE_SECONDS = 0.01
LOOK_SECONDS = 0.1  # between two looks at who listens
NAMES_LIMIT = 10
TEXT_LIMIT = 500
USUAL = ("app", "application", "api", "server", "create_app", "make_app", "get_app", "get_application")
OUT = 1


def say(word: str, value: str) -> None:
    """Write one marked line at once."""
    os.write(OUT, f"\n{MARK} {word} {value}\n".encode("utf-8", "backslashreplace"))


# probe ------------------------------------------------------------------------------------------------------


def probe(port: int, seconds: float) -> None:
    """Say ``listens ADDRESS:PORT …`` (hexadecimal, as the kernel does) when that changes, and ``answers STATUS``."""
    import time

    end, looked, seen = time.monotonic() + seconds, 0.0, None
    while time.monotonic() < end:
        status = ask(port)
        if status or time.monotonic() - looked > LOOK_SECONDS:
            looked, found = time.monotonic(), listening()
            if found != seen:
                seen = found
                say("listens", " ".join(sorted(found)))
        if status:
            say("answers", status)
            if status != "nothing":
                return
        time.sleep(PAUSE_SECONDS)
    say("answers", "late")


def ask(port: int) -> str:
    """Return the status of an HTTP answer, "nothing" when a connection is taken and no HTTP comes, "" for no one."""
    import socket

    try:
        with socket.create_connection(("127.0.0.1", port), ATTEMPT_SECONDS) as there:
            there.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: s2i-proof\r\nConnection: close\r\n\r\n")
            head = b""
            while b"\n" not in head and len(head) < 4096:
                more = there.recv(4096)
                if not more:
                    break
                head += more
    except ConnectionRefusedError:
        return ""
    except OSError:
        return "nothing"
    words = head.split(b"\n")[0].split()
    if len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit() and len(words[1]) == 3:
        return words[1].decode()
    return "nothing"


def listening() -> set:  # type: ignore[type-arg]
    """Return the local addresses that are listened on, as /proc writes them."""
    lines = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            with open(table) as file:
                lines += file.readlines()[1:]
        except OSError:
            continue
    rows = [line.split() for line in lines]
    return {row[1] for row in rows if len(row) > 3 and row[3] == "0A"}


# classify ---------------------------------------------------------------------------------------------------


def classify(entry: str, seconds: float) -> None:
    """Say ``found JSON``: what ``module:attribute`` or ``module:factory()`` turns out to be."""
    global OUT
    import faulthandler
    import importlib
    import json

    OUT = os.dup(1)
    # As the servers do: the working folder first, then what PYTHONPATH names (-I has left both out so far).
    sys.path[:0] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    module, _, attribute = entry.partition(":")
    name = attribute[:-2] if attribute.endswith("()") else attribute
    say("importing", module)
    faulthandler.dump_traceback_later(seconds, exit=True, file=sys.__stderr__ or 2)
    try:
        loaded = importlib.import_module(module)
        found = described(loaded, name)
    except BaseException as error:
        found = failure(error)
    say("found", json.dumps(found))
    os._exit(0)  # threads and handlers that the import left behind are nobody's business here


def described(loaded: object, name: str) -> dict:  # type: ignore[type-arg]
    """Return what the attribute is; where it is no application, which others of the module are."""
    if not hasattr(loaded, name):
        return {"shape": "missing", "names": applications(loaded)}
    value = getattr(loaded, name)
    found = {"shape": shape(value), "names": []}
    found["type"] = f"{type(value).__module__}.{type(value).__qualname__}"[:200]
    if found["shape"] == "factory":
        try:
            made = shape(value())
            found["kind"] = made if made in ("wsgi", "asgi") else ""
        except BaseException as error:
            found.update(failure(error), shape="factory")
    elif found["shape"] in ("wsgi", "asgi"):
        found["kind"] = found["shape"]
    else:
        found["names"] = applications(loaded)
    return found


def shape(value: object) -> str:
    """Return "wsgi", "asgi", "factory", "value" (nothing to call) or "unknown", by what can be passed to it."""
    import inspect

    if not callable(value):
        return "value"
    try:
        takes = list(inspect.signature(value).parameters.values())
    except (TypeError, ValueError, NameError, AttributeError):
        return "unknown"
    places = [p for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    needed = [p for p in places if p.default is p.empty]
    if any(p.kind == p.VAR_POSITIONAL for p in takes) and len(places) < 2:
        return "unknown"
    if any(p.kind == p.KEYWORD_ONLY and p.default is p.empty for p in takes):
        return "unknown"
    called = value if inspect.isroutine(value) or inspect.isclass(value) else type(value).__call__
    first = places[0].name if places else ""
    if first == "scope" or len(needed) == 3 or (len(places) >= 3 and inspect.iscoroutinefunction(called)):
        return "asgi"
    if inspect.iscoroutinefunction(called):
        return "unknown"
    if len(needed) == 2 or first in ("environ", "env"):
        return "wsgi"
    return "unknown" if needed else "factory"


def applications(loaded: object) -> list:  # type: ignore[type-arg]
    """Return the names of a module that look like applications, the usual ones first: ``[name, kind]``."""
    import inspect

    found = []
    for name, value in list(vars(loaded).items()):
        if name.startswith("_") or not callable(value) or inspect.isclass(value) or not name.isidentifier():
            continue
        kind = shape(value)
        own = getattr(value, "__module__", "") == getattr(loaded, "__name__", "")
        if inspect.isroutine(value):
            usual = name in USUAL and own
            # Many functions take two arguments: of those only the ones that say it.
            says = kind == "wsgi" and next(iter(inspect.signature(value).parameters)) in ("environ", "env")
            if (own and (says or kind == "asgi")) or (kind == "factory" and usual):
                found.append([name, kind])
        elif kind in ("wsgi", "asgi"):
            found.append([name, kind])
    found.sort(key=lambda row: (row[0] not in USUAL, row[1] == "factory"))
    return found[:NAMES_LIMIT]


def failure(error: BaseException) -> dict:  # type: ignore[type-arg]
    """Return an exception: its class, its text, and the last line of the user's own code that led to it."""
    frames, trace = [], error.__traceback__
    while trace is not None:
        frames.append((trace.tb_frame.f_code.co_filename, trace.tb_lineno))
        trace = trace.tb_next
    here = os.getcwd().rstrip("/") + "/"
    own = [frame for frame in frames if frame[0].startswith(("/app/", here))]
    place = own[-1] if own else ("", 0)
    if isinstance(error, SyntaxError) and error.filename:
        place = (error.filename, error.lineno or 0)
    absent = getattr(error, "name", None) if isinstance(error, ModuleNotFoundError) else None
    return {
        "shape": "exits" if isinstance(error, SystemExit) else "error",
        "error": type(error).__name__[:80],
        "text": str(error)[:TEXT_LIMIT],
        "file": place[0][:TEXT_LIMIT],
        "line": place[1],
        "absent": (absent or "")[:200],
    }


# resolve ----------------------------------------------------------------------------------------------------


def resolve(argv: list) -> None:  # type: ignore[type-arg]
    """Say ``resolves HOW`` or ``lacks WHY`` for a command."""
    import shutil

    program, rest = argv[0], argv[1:]
    path = shutil.which(program)
    if path is None:
        there = os.path.exists(program) and "/" in program
        say("lacks", "{} {}".format(program, "is not executable" if there else "is not in the image"))
        return
    problem = _interpreted(path)
    if not problem and os.path.basename(path).startswith("python"):
        problem = _python(rest)
    elif not problem and os.path.basename(path) == "jupyter" and rest[:1] == ["execute"] and len(rest) > 1:
        problem = "" if os.path.isfile(rest[-1]) else f"there is no file {rest[-1]}"
    say("lacks", problem) if problem else say("resolves", path)


def _interpreted(path: str) -> str:
    """Say what is wrong with the first line of a script; "" for nothing, and for a binary."""
    try:
        with open(path, "rb") as file:
            first = file.readline(4096)
    except OSError as error:
        return "" if os.access(path, os.X_OK) else f"{path}: {error.strerror}"
    if not first.startswith(b"#!"):
        return ""
    words = first[2:].split()
    asked = os.fsdecode(words[0]) if words else ""
    return "" if asked and os.access(asked, os.X_OK) else f"{path} asks for {asked}, which is not there"


def _python(rest: list) -> str:  # type: ignore[type-arg]
    """Say what is wrong with what ``python`` is told to run; "" for nothing."""
    while rest and rest[0].startswith("-") and rest[0] not in ("-m", "-c", "-"):
        rest = rest[2:] if rest[0] in ("-W", "-X") else rest[1:]
    if not rest or rest[0] == "-":
        return ""
    if rest[0] == "-m":
        return _module(rest[1]) if len(rest) > 1 else "python -m names no module"
    if rest[0] == "-c":
        return _compiles(rest[1].encode(), "the text of -c") if len(rest) > 1 else "python -c has no text"
    path = rest[0]
    if os.path.isdir(path):
        path = os.path.join(path, "__main__.py")
    try:
        with open(path, "rb") as file:
            return _compiles(file.read(), rest[0])
    except OSError as error:
        absent = isinstance(error, FileNotFoundError)
        return f"there is no file {path}" if absent else f"{path}: {error.strerror}"


def _compiles(text: bytes, name: str) -> str:
    try:
        compile(text, name, "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        return "{}:{}: {}".format(name, getattr(error, "lineno", 0) or 0, error)
    return ""


def _module(name: str) -> str:
    """Look a module up part by part: the import system's own way would import its packages."""
    from importlib.machinery import PathFinder

    where = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":")), *sys.path]
    parts = name.split(".")
    for index, part in enumerate(parts):
        if index == 0 and part in sys.builtin_module_names:
            return ""
        found = PathFinder.find_spec(".".join(parts[: index + 1]), where)
        if found is None:
            return "there is no module {}".format(".".join(parts[: index + 1]))
        where = list(found.submodule_search_locations or ())
    if where and PathFinder.find_spec(name + ".__main__", where) is None:
        return f"{name} is a package without __main__.py"
    return ""


if __name__ == "__main__":
    if sys.argv[1] == "probe":
        probe(int(sys.argv[2]), float(sys.argv[3]))
    elif sys.argv[1] == "classify":
        classify(sys.argv[2], float(sys.argv[3]))
    else:
        resolve(sys.argv[2:])
