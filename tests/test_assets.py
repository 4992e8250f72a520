"""The wheel carries what the program reads, and works far from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from s2i import assets

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("name", ["buildpacks", "templates"])
def test_a_checkout_reads_the_folders_beside_the_package(name: str) -> None:
    assert assets.folder(name) == ROOT / name


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it with its entry point's dependencies from this environment."""
    out = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q"]
    subprocess.run([*pip, "wheel", "--no-deps", "-w", str(out), str(ROOT)], check=True, timeout=240)
    (wheel,) = out.glob("s2i-*.whl")
    site = out / "site"
    subprocess.run([*pip, "install", "--no-deps", "--target", str(site), str(wheel)], check=True, timeout=240)
    names = zipfile.ZipFile(wheel).namelist()
    assert not [n for n in names if n.startswith(("tests/", "fixtures/", "s2i/s2i"))]
    return site


@pytest.mark.world
def test_the_wheel_plans_and_renders_from_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    (source / "requirements.txt").write_text("flask==3.1.0\n")
    (source / "shop.py").write_text("from flask import Flask\nweb = Flask(__name__)\n")
    # -I and the target folder alone in front: the checkout must not be what answers.
    code = f"import sys; sys.path.insert(0, {str(installed)!r}); from s2i.cli import main; main()"
    environment = {**os.environ, "PYTHONPATH": ""}
    done = subprocess.run(
        [sys.executable, "-I", "-c", code, "dockerfile", str(source)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "shop:web" in done.stdout
    assert (installed / "s2i" / "buildpacks" / "python" / "plan.py").is_file()
