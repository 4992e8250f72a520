"""Run the live tests: `make live`. Of what fails, the whole file is run a second time, alone, and both are told.

They kill, fill and cut off real engines in real time: one in thousands fails by chance. What fails twice is broken;
what passes then is printed as FLAKY, and is to be mended. More than FILES files are no chance, and not run again.
"""

import json
import subprocess
import sys
from pathlib import Path

CACHE = Path(".pytest_cache/live")
PYTEST = (sys.executable, "-m", "pytest", "-q", "-m", "live", "-o", f"cache_dir={CACHE}")
FAILED = 1  # pytest's exit code when tests ran, and some failed
FILES = 2


def main() -> int:
    """Return pytest's exit code, of the second run where there was one."""
    failed = CACHE / "v" / "cache" / "lastfailed"
    failed.unlink(missing_ok=True)
    code = subprocess.run(PYTEST).returncode
    if code != FAILED:
        return code
    names = sorted(json.loads(failed.read_text()))
    files = sorted({name.partition("::")[0] for name in names})
    if len(files) > FILES:
        return code
    print(f"== failed, run again alone: {' '.join(names)}", flush=True)
    code = subprocess.run((*PYTEST, *files)).returncode
    if code == 0:
        print(f"== FLAKY, passed the second time, to be mended: {' '.join(names)}", flush=True)
    return code


if __name__ == "__main__":
    sys.exit(main())
