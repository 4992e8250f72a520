"""Compare `s2i plan fixtures/flask-hello/app` with importing what it is built on. Exit 1 when it costs too much.

Whole processes, run in turn so that a busy machine slows both: `python -m benchmarks.plan [ROUNDS]`.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

MOST = 1.8
ROUNDS = 40
ROOT = Path(__file__).resolve().parents[1]
FLOOR = (sys.executable, "-c", "import click, msgspec, tomllib, ast")
START = "import sys; from s2i.cli import main; sys.exit(main())"  # what the installed `s2i` script does
PLAN = (sys.executable, "-c", START, "plan", str(ROOT / "fixtures/flask-hello/app"))


def main() -> int:
    """Print both medians, their ratio, and ok or MISS."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS
    with tempfile.TemporaryDirectory() as home:
        # Both run from compiled modules, as an installed s2i does, whatever this shell's settings are.
        environment = {**os.environ, "S2I_HOME": home, "PYTHONPATH": str(ROOT), "PYTHONPYCACHEPREFIX": f"{home}/pyc"}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        for argv in (FLOOR, PLAN):
            seconds(argv, environment)
        pairs = [(seconds(FLOOR, environment), seconds(PLAN, environment)) for _ in range(rounds)]
    floor, plan = (statistics.median(column) for column in zip(*pairs, strict=True))
    ratio = plan / floor
    verdict = "ok" if ratio <= MOST else "MISS"
    times = f"imports alone {floor * 1000:.1f} ms, s2i plan {plan * 1000:.1f} ms"
    print(f"{times}: {ratio:.2f} times (at most {MOST}) {verdict}")
    return 0 if verdict == "ok" else 1


def seconds(argv: tuple[str, ...], environment: dict[str, str]) -> float:
    """Run a process and return how long it took."""
    began = time.perf_counter()
    subprocess.run(argv, env=environment, check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
