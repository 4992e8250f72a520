"""What is installed in an image, by the files that installers leave."""

from __future__ import annotations

import hashlib

import pytest

from s2i.images.carried import graph
from s2i.images.carried.inventory import Distribution, Inventory, Package, take, telling

SITE = "opt/venv/lib/python3.13/site-packages"


def metadata(name: str, version: str, *more: str) -> bytes:
    return "\n".join(("Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}", *more, "", "text")).encode()


@pytest.mark.parametrize(
    ("path", "tells"),
    [
        (f"{SITE}/flask-3.0.dist-info/METADATA", True),
        (f"{SITE}/flask-3.0.dist-info/RECORD", True),
        (f"{SITE}/flask-3.0.dist-info/direct_url.json", True),
        (f"{SITE}/flask-3.0.dist-info/entry_points.txt", False),
        ("usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO", True),
        ("usr/lib/python3/dist-packages/old-1.0.egg-info", True),
        ("var/lib/dpkg/status", True),
        ("var/lib/dpkg/status.d/libc6", True),
        ("var/lib/dpkg/status-old", False),
        ("var/lib/dpkg/info/libc6.list", False),
        ("opt/venv/pyvenv.cfg", True),
        ("etc/os-release", True),
        ("app/METADATA", False),
    ],
)
def test_the_files_that_tell_of_what_is_installed_are_known(path: str, tells: bool) -> None:
    assert telling(path) == tells


def test_distributions_have_their_name_version_licence_and_needs() -> None:
    files = [
        ("opt/venv/pyvenv.cfg", b"home = /usr/bin\nversion_info = 3.13.5\n"),
        (f"{SITE}/Flask_Thing-3.0.dist-info/METADATA", metadata(
            "Flask_Thing", "3.0", "License-Expression: BSD-3-Clause", "Requires-Dist: click>=8", "Requires-Dist: rich; extra == 'x'"
        )),
        (f"{SITE}/Flask_Thing-3.0.dist-info/RECORD", b"flask/__init__.py,sha256=x,1\n"),
        (f"{SITE}/click-8.1.dist-info/METADATA", metadata("click", "8.1", "License: UNKNOWN", "Classifier: License :: OSI Approved :: BSD License")),
        ("usr/lib/python3/dist-packages/six-1.16.0.egg-info/PKG-INFO", metadata("six", "1.16.0", "License: MIT")),
    ]  # fmt: skip
    found = take(files)
    assert found.python == "3.13.5"
    assert found.distributions == (
        Distribution("click", "8.1", f"/{SITE}/click-8.1.dist-info", "BSD License"),
        Distribution(
            "flask-thing",
            "3.0",
            f"/{SITE}/Flask_Thing-3.0.dist-info",
            "BSD-3-Clause",
            ("click>=8", "rich; extra == 'x'"),
            record=hashlib.sha256(b"flask/__init__.py,sha256=x,1\n").hexdigest(),
        ),
        Distribution("six", "1.16.0", "/usr/lib/python3/dist-packages/six-1.16.0.egg-info", "MIT"),
    )


def test_where_a_distribution_was_taken_from_is_told_without_credentials() -> None:
    place = f"{SITE}/x-1.dist-info"
    archive = b'{"url": "https://ann:s3cret@h.example/x.whl", "archive_info": {"hashes": {"sha256": "%s"}}}' % (
        b"a" * 64
    )
    (found,) = take([(f"{place}/METADATA", metadata("x", "1")), (f"{place}/direct_url.json", archive)]).distributions
    assert (found.url, found.hash) == ("https://h.example/x.whl", "a" * 64)
    vcs = b'{"url": "https://tok@h.example/o/r", "vcs_info": {"vcs": "git", "commit_id": "%s"}}' % (b"c" * 40)
    (found,) = take([(f"{place}/METADATA", metadata("x", "1")), (f"{place}/direct_url.json", vcs)]).distributions
    assert (found.url, found.hash) == (f"https://h.example/o/r@{'c' * 40}", "")
    folder = b'{"url": "file:///app", "dir_info": {"editable": true}}'
    (found,) = take([(f"{place}/METADATA", metadata("x", "1")), (f"{place}/direct_url.json", folder)]).distributions
    assert (found.url, found.hash) == ("", "")


def test_debian_packages_are_read_as_dpkg_and_as_distroless_images_keep_them() -> None:
    status = (
        b"Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nVersion: 2.36-9\nSource: glibc (2.36)\n"
        b"Description: GNU C\n a line: with a colon\n\n"
        b"Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n"
    )
    single = b"Package: tzdata\nVersion: 2026a-1\nArchitecture: all\n"
    found = take([("var/lib/dpkg/status", status), ("var/lib/dpkg/status.d/tzdata", single),
                  ("usr/lib/os-release", b'ID=debian\nVERSION_ID="12"\n')])  # fmt: skip
    assert found == Inventory(
        system="debian",
        release="12",
        packages=(Package("libc6", "2.36-9", "amd64", "glibc"), Package("tzdata", "2026a-1", "all")),
    )


def test_what_is_no_metadata_is_no_distribution() -> None:
    hostile = [(f"{SITE}/a.dist-info/METADATA", b"\xff\xfe"), (f"{SITE}/b.dist-info/METADATA", b"Name: b\n"),
               (f"{SITE}/c.dist-info/RECORD", b"x")]  # fmt: skip
    assert take(hostile).distributions == ()


def test_a_need_behind_an_extra_counts_when_somebody_asks_for_the_extra() -> None:
    installed = (
        Distribution("app", "1", "/s", requires=("web[fast]>=1", "old; python_version < '3.9'", "absent")),
        Distribution("web", "1", "/s", requires=("Core_Lib", "speed; extra == 'fast'", "slow; extra == 'other'")),
        Distribution("core-lib", "1", "/s", requires=("not a requirement at all !!",)),
        Distribution("speed", "1", "/s", requires=("turbo; sys_platform == 'win32'",)),
        Distribution("slow", "1", "/s"),
        Distribution("old", "1", "/s"),
        Distribution("turbo", "1", "/s"),
    )
    needed = graph.needs(installed, "3.13.5")
    assert needed == {
        "app": ("web",), "web": ("core-lib", "speed"), "core-lib": (), "speed": (), "slow": (), "old": (), "turbo": (),
    }  # fmt: skip
    assert set(graph.roots(needed)) == {"app", "slow", "old", "turbo"}
