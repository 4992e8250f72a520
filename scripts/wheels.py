"""Write buildpacks/python/version/wheels.toml anew: for which Pythons popular distributions have wheels.

    uv run --no-project --with pypi-simple --with packaging python scripts/wheels.py DATE

DATE ("2026-11-25") is written into the file. The package index is asked once for each distribution.
"""

import sys
from pathlib import Path

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, parse_wheel_filename
from pypi_simple import PyPISimple

TO = Path(__file__).parents[1] / "buildpacks/python/version/wheels.toml"
MINORS = range(6, 15)
# As pip has them for Debian 10 and newer: every older manylinux as well.
PLATFORMS = [*(f"manylinux_2_{n}_x86_64" for n in range(28, 4, -1)),
             "manylinux2014_x86_64", "manylinux2010_x86_64", "manylinux1_x86_64"]  # fmt: skip
# With C, C++ or Rust inside, and no way to install without it: a release without a wheel needs a compiler.
COMPILED = (
    "aiohttp", "asyncpg", "backports.zoneinfo", "bcrypt", "cffi", "cryptography", "gevent", "greenlet", "grpcio",
    "httptools", "lxml", "matplotlib", "msgpack", "numpy", "orjson", "pandas", "pillow", "psutil", "psycopg-binary",
    "psycopg2-binary", "pyarrow", "pydantic-core", "pymongo", "pyyaml", "regex", "scikit-learn", "scipy", "tiktoken",
    "tokenizers", "torch", "typed-ast", "uvloop",
)  # fmt: skip
# Without: an old release installs from its sources on any Python, so only the newest is a fact.
PURE = ("celery", "django", "fastapi", "flask", "streamlit")
HEAD = """\
# Which releases can be installed from a wheel on which Python, on Linux x86-64 with glibc 2.28 or newer.
# Of each Python the oldest release and the newest ("0": any old one, it has nothing to compile).
# Written by scripts/wheels.py on {date}, from what the package index says of each: not to be edited by hand.

[wheels]
"""


def main(date: str) -> int:
    """Ask about every distribution and write the file."""
    with PyPISimple() as index:
        rows = [row(name, index) for name in sorted([*COMPILED, *PURE])]
    TO.write_text(HEAD.format(date=date) + "".join(rows))
    return 0


def row(name: str, index: PyPISimple) -> str:
    """Return the line of the file about one distribution."""
    wheels = []
    for package in index.get_project_page(name).packages:
        if package.package_type != "wheel" or package.is_yanked:
            continue
        try:
            _, version, _, tags = parse_wheel_filename(package.filename)
            needs = SpecifierSet(package.requires_python or "")
        except (InvalidWheelFilename, InvalidSpecifier):
            continue
        tags = frozenset(t for t in tags if t.platform != "any" or name in PURE)  # once pure, compiled since
        if tags and not version.is_prerelease:
            wheels.append((version, tags, needs))
    cells = []
    for minor in MINORS:
        known = {*cpython_tags((3, minor), platforms=PLATFORMS)}
        known |= {*compatible_tags((3, minor), f"cp3{minor}", PLATFORMS)}
        fits = [version for version, tags, needs in wheels if tags & known and f"3.{minor}.20" in needs]
        if fits:
            cells.append(f"3.{minor} {min(fits) if name in COMPILED else 0} {max(fits)}")
    return f"{name.replace('.', '-')} = '{', '.join(cells)}'\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
