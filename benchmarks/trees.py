"""Source trees for the benchmarks: made from nothing, the same bytes each time."""

from __future__ import annotations

import os
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

MODULES, PACKAGES, DATA = 3_500, 140, 1_490
_WORDS = (
    "order",
    "invoice",
    "stock",
    "route",
    "parcel",
    "price",
    "tax",
    "client",
    "ledger",
    "report",
    "queue",
    "quota",
)
_DATA = (("templates", "html"), ("static/css", "css"), ("static/js", "js"), ("locale", "po"), ("data", "csv"))


def grown(root: Path) -> Path:
    """Make what years of work leave: 5,000 files, 3,500 of them modules in 140 packages, one FastAPI application.

    A module has 10 to 700 lines, 70 on average, as in large open repositories; half of them import from their
    neighbours. It is a Git repository with all of it in its index. Returns ``root``.
    """
    chance = random.Random(5_000)  # noqa: S311 - the same tree each time, nothing secret
    for path, text in _files(chance):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text)
    git = ("git", "-C", str(root), "-c", "core.hooksPath=/dev/null")
    environment = {"PATH": os.environ["PATH"], "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull}
    for words in (("init", "--quiet"), ("add", "--all")):
        subprocess.run((*git, *words), env=environment, check=True)
    return root


def _files(chance: random.Random) -> Iterator[tuple[str, str]]:
    yield "requirements.txt", "fastapi==0.115.0\nuvicorn==0.30.6\nsqlalchemy==2.0.32\n"
    yield "README.md", "# Shop\n"
    yield ".gitignore", "*.log\n/data/cache/\n__pycache__/\n*.egg-info/\n.env*\n/build/\ndist/\n"
    yield "main.py", "from shop.web import create\n\napp = create()\n"
    yield "shop/__init__.py", ""
    yield (
        "shop/web.py",
        (
            "from fastapi import FastAPI\n\nfrom shop.p000 import m0001\n\n\ndef create() -> FastAPI:\n"
            "    api = FastAPI(title='shop')\n    api.state.first = m0001\n    return api\n"
        ),
    )
    names = [f"shop/p{number:03}" for number in range(PACKAGES)]
    for name in names:
        yield f"{name}/__init__.py", ""
    for number in range(MODULES - PACKAGES - 3):
        package = names[number % PACKAGES]
        yield f"{package}/m{number:04}.py", _module(chance, number)
    for number in range(DATA + 7):
        folder, end = _DATA[number % len(_DATA)]
        yield f"shop/{folder}/{number % 40:02}/{number:04}.{end}", "x,y,z\n" * chance.randrange(10, 900)


def _module(chance: random.Random, number: int) -> str:
    lines = [
        '"""One of many."""',
        "from __future__ import annotations",
        "import logging",
        "from datetime import datetime",
    ]
    for _ in range(chance.choice((0, 0, 1, 2, 3))):
        other = chance.randrange(MODULES - PACKAGES - 3)
        lines.append(f"from shop.p{other % PACKAGES:03}.m{other:04} import {chance.choice(_WORDS)}_0 as f{other}")
    lines += ["", "log = logging.getLogger(__name__)", ""]
    for part in range(max(1, int(chance.lognormvariate(1.2, 0.9)))):
        lines += _function(chance, part) if chance.random() < 0.6 else _class(chance, number, part)
    return "\n".join(lines) + "\n"


def _function(chance: random.Random, part: int) -> list[str]:
    word, other = chance.choice(_WORDS), chance.choice(_WORDS)
    return [
        "", f"def {word}_{part}(given: dict[str, int], limit: int = {part}) -> int:",
        f'    """Say how much {other} there is."""',
        "    total = 0", "    for name, value in sorted(given.items()):",
        f"        if value > limit and name != '{other}':",
        f"            total += value * {chance.randrange(99)} + len(name)",
        f"            log.info('%s of %s', name, {{'{other}': total, 'limit': limit}})",
        f"    return min(total, {chance.randrange(9_999)})", "",
    ]  # fmt: skip


def _class(chance: random.Random, number: int, part: int) -> list[str]:
    lines = ["", f"class {chance.choice(_WORDS).title()}{number}{part}:", '    """Keep a few things together."""', ""]
    for field in chance.sample(_WORDS, 3):
        lines.append(f"    {field}: str = '{field}'")
    for method in chance.sample(_WORDS, chance.randrange(1, 5)):
        lines += [
            "", f"    def {method}(self, at: datetime, *more: int, **named: object) -> list[str]:",
            f"        found = [str(n + {chance.randrange(50)}) for n in more if n % {chance.randrange(2, 9)}]",
            "        try:", "            found.append(at.isoformat())",
            "        except (ValueError, OSError) as error:",
            "            log.warning('no time: %s', error)", "        return found or list(named)",
        ]  # fmt: skip
    return [*lines, ""]
