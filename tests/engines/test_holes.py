"""Which known holes are found open: by upstream's number, by the package's, by its changelog."""

import gzip
from pathlib import Path

import pytest

from s2i.engines.docker import holes

DEBIAN = {"runc": "1.1.5+ds1", "containerd": "1.6.20~ds1", "engine": "20.10.24+dfsg1"}


def cves(versions: dict[str, str], packages: dict[str, str] | None = None, changelog: str = "") -> list[str]:
    found = holes.open_ones(versions, packages or {}, lambda package: changelog)
    return [cve for hole in found for cve in hole.cves]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.1.11", ["CVE-2024-21626", "CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.1.12", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.7", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.2.8", []),
        ("1.3.2", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.3.3", []),
        ("1.4.0-rc.2", ["CVE-2025-31133", "CVE-2025-52565", "CVE-2025-52881"]),
        ("1.4.0-rc.3", []),
        ("1.4.0", []),
        ("2.0.0", []),
        ("unknown", []),
    ],
)
def test_a_version_of_runc_has_the_holes_that_its_branch_has_not_mended(version: str, expected: list[str]) -> None:
    assert cves({"runc": version}) == expected


def test_a_changelog_that_names_the_fix_closes_the_hole() -> None:
    said = "runc (1.1.5+ds1-1+deb12u2)\n  * CVE-2025-31133, CVE-2025-52881\n  * CVE-2024-21626\n"
    assert cves({"runc": "1.1.5+ds1"}, changelog=said) == ["CVE-2025-52565"]


def test_a_longer_number_in_a_changelog_is_another_hole() -> None:
    assert "CVE-2024-21626" in cves({"runc": "1.1.5+ds1"}, changelog="CVE-2024-216260")


def test_debians_package_with_the_fix_is_known_without_its_changelog() -> None:
    packages = {"runc": "1.1.5+ds1-1+deb12u1", "containerd": "1.6.20~ds1-1+deb12u3"}
    assert {"CVE-2024-21626", "CVE-2024-25621"} & set(cves(DEBIAN, packages)) == set()


def test_debians_package_before_the_fix_is_not_taken_for_it() -> None:
    assert "CVE-2024-25621" in cves(DEBIAN, {"containerd": "1.6.20~ds1-1+deb12u1"})


def test_a_changelog_is_read_from_the_documents_of_the_package(tmp_path: Path) -> None:
    (tmp_path / "runc").mkdir()
    with gzip.open(tmp_path / "runc" / "changelog.Debian.gz", "wt") as file:
        file.write("CVE-2024-21626")
    assert holes.changelog("runc", tmp_path) == "CVE-2024-21626"
    assert holes.changelog("containerd", tmp_path) == ""
