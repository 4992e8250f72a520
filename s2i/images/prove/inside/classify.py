"""Import the entry and say what it is: ``classify SIGN MODULE:NAME SECONDS``. See inside/__init__.py."""

import faulthandler
import importlib
import inspect
import json
import os
import sys

SIGN = (sys.argv[1:] or [""])[0]
NAMES_LIMIT = 10
TEXT_LIMIT = 500
USUAL = ("app", "application", "api", "server", "create_app", "make_app", "get_app", "get_application")
OUT = os.dup(1)  # the import may close, replace or fill what is called standard output


def classify(entry: str, seconds: float) -> None:
    """Say ``found JSON``: what ``module:attribute`` or ``module:factory()`` turns out to be."""
    # As the servers do: the working folder first, then what PYTHONPATH names (-I has left both out so far).
    sys.path[:0] = [os.getcwd(), *filter(None, os.environ.get("PYTHONPATH", "").split(":"))]
    module, _, attribute = entry.partition(":")
    name = attribute[:-2] if attribute.endswith("()") else attribute
    say("importing", module)
    faulthandler.dump_traceback_later(seconds, exit=True, file=2)
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


def say(word: str, value: str) -> None:
    """Write one marked line at once."""
    os.write(OUT, f"\ns2i-proof {SIGN} {word} {value}\n".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    entry, limit = sys.argv[2:]
    sys.argv[1:] = []  # whatever is imported may read its command line
    classify(entry, float(limit))
