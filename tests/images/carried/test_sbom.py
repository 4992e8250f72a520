"""The bill of materials: valid CycloneDX, read off an image without running it, and not twice."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from s2i.images.carried import contents, cyclonedx, folder, sbom
from s2i.images.carried.inventory import Distribution, Inventory, Package
from s2i.images.carried.write import write
from s2i.resources import labels
from tests.images.carried.test_record import IMAGE, MADE

DOCKERFILE = """\
FROM b:1 AS build
COPY ["requirements.txt", "/app/"]
RUN install
FROM r:1
ENV A=b
# Copy the environment
COPY --from=build ["/opt/venv", "/opt/venv"]
COPY [".", "/app/"]
RUN python -m compileall /app
USER 1001:0
"""
SITE = "opt/venv/lib/python3.13/site-packages"


class Engine:
    """An engine that knows one image, and counts what is asked of it."""

    def __init__(self, files: dict[str, bytes]) -> None:
        self.api = self
        self.calls: list[str] = []
        self.made: dict[str, Any] = {}
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w") as archive:
            for name, data in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(data)
                archive.addfile(member, io.BytesIO(data))
        self._tar = buffer.getvalue()

    def create_container(self, image: str, **settings: Any) -> dict[str, str]:
        self.calls.append("create")
        self.made = settings
        return {"Id": "c1"}

    def export(self, container: str, chunk_size: int) -> Iterator[bytes]:
        self.calls.append("export")
        return (self._tar[at : at + 100] for at in range(0, len(self._tar), 100))

    def remove_container(self, container: str, **_how: bool) -> None:
        self.calls.append("remove")


def details(*layers: str, image: str = IMAGE) -> dict[str, Any]:
    return {
        "Id": image, "Created": "2026-01-02T03:04:05Z", "RootFS": {"Layers": list(layers)},
        "Config": {"Labels": {"org.opencontainers.image.title": "shop"}, "Env": ["PATH=/bin"]},
    }  # fmt: skip


FILES = {
    f"{SITE}/flask-3.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: flask\nVersion: 3.0\nLicense: BSD-3-Clause\n\n",
    f"{SITE}/flask/__init__.py": b"x = 1\n" * 5000,
    "app/vendored-1.dist-info/METADATA": b"Metadata-Version: 2.1\nName: vendored\nVersion: 1\n\n",
    "opt/venv/pyvenv.cfg": b"version_info = 3.13.5\n",
}


def test_only_the_layers_of_the_project_lie_above_what_is_installed() -> None:
    assert sbom.project_steps(DOCKERFILE) == 2
    assert sbom.project_steps("FROM a\nCOPY . /app\n") == 1
    assert sbom.project_steps("FROM a\nCOPY --from=x /v /v\n") == 0
    assert sbom.project_steps("FROM a\nCOPY . /app\nRUN x\nCOPY --from=b /v /v\nRUN y\n") == 1


def test_an_image_is_read_from_a_container_that_is_never_started_and_is_removed() -> None:
    engine: Any = Engine(FILES)
    found = json.loads(sbom.of(engine, details("base", "venv", "source", "compiled")))
    assert engine.calls == ["create", "export", "remove"]
    assert engine.made["labels"] == {labels.READER: IMAGE}
    assert engine.made["network_disabled"]
    assert sorted(one["purl"] for one in found["components"]) == [
        "pkg:generic/python@3.13.5", "pkg:pypi/flask@3.0", "pkg:pypi/vendored@1",
    ]  # fmt: skip


def test_a_change_of_code_is_told_without_reading_the_image_again() -> None:
    engine: Any = Engine(FILES)
    for number, layers in enumerate((("base", "venv", "s1", "c1"), ("base", "venv", "s2", "c2"))):
        image = "sha256:" + f"{number + 1:x}" * 64
        write(MADE._replace(image=image, dockerfile=DOCKERFILE))
        made = json.loads(sbom.of(engine, details(*layers, image=image)))
        assert [one["purl"] for one in made["components"]] == ["pkg:pypi/flask@3.0", "pkg:generic/python@3.13.5"]
        assert (folder.folder_of(image) / "sbom.cdx.json").exists()
        assert made["metadata"]["component"]["hashes"][0]["content"] == image[7:]
    assert engine.calls == ["create", "export", "remove"]
    image = "sha256:" + "3" * 64
    write(MADE._replace(image=image, dockerfile=DOCKERFILE))
    sbom.of(engine, details("base", "other venv", "s2", "c2", image=image))
    assert engine.calls.count("export") == 2


def test_what_was_rendered_once_is_not_read_again() -> None:
    write(MADE._replace(dockerfile=DOCKERFILE))
    engine: Any = Engine(FILES)
    first = sbom.of(engine, details("base", "venv", "s", "c"))
    assert sbom.of(None, details("base", "venv", "s", "c")) == first  # type: ignore[arg-type]


def test_an_image_that_is_full_of_metadata_fills_no_memory() -> None:
    engine: Any = Engine({f"{SITE}/x{number}.dist-info/METADATA": b"x" * 100 for number in range(10)})
    found = list(contents.files(engine, IMAGE, lambda path: True, limit=1000, room=3 * 1100))
    assert [len(data) for _, data in found] == [100, 100, 100]
    assert list(contents.files(engine, IMAGE, lambda path: True, limit=99, room=10**6)) == []
    assert engine.calls == ["create", "export", "remove"] * 2


def test_the_container_is_removed_when_the_reading_fails() -> None:
    engine: Any = Engine({})
    engine._tar = b"no tar file at all" * 100
    with pytest.raises(tarfile.ReadError):
        sbom.of(engine, details("base"))
    assert engine.calls[-1] == "remove"


def test_the_document_is_valid_and_says_who_needs_what() -> None:
    flask = Distribution("flask", "3.0", "/s/flask-3.0.dist-info", "BSD-3-Clause", ("click", "odd"), record="r" * 64)
    click = Distribution("click", "8.1", "/s/click-8.1.dist-info", "my own licence")
    odd = Distribution("odd", "1!2.0+x", "/s/odd", "MIT OR Apache-2.0", url="https://h.example/odd.whl", hash="a" * 64)
    found = Inventory("3.13.5", "debian", "13", (click, flask, odd), (Package("libc6", "2:2.41+x", "amd64", "glibc"),))
    document = cyclonedx.render(found, details("l"), None)
    assert document == cyclonedx.render(found, details("l"), None)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(document.decode()) is None
    made = json.loads(document)
    by_name = {one["name"]: one for one in made["components"]}
    assert by_name["click"]["licenses"] == [{"license": {"name": "my own licence"}}]
    assert by_name["odd"]["licenses"] == [{"expression": "MIT OR Apache-2.0"}]
    assert by_name["odd"]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert by_name["libc6"]["purl"] == "pkg:deb/debian/libc6@2:2.41%2Bx?arch=amd64&distro=debian-13"
    needs = {one["ref"]: one.get("dependsOn", []) for one in made["dependencies"]}
    assert needs["pkg:pypi/flask@3.0"] == ["pkg:pypi/click@8.1", by_name["odd"]["bom-ref"]]
    assert needs[IMAGE] == [by_name["libc6"]["purl"], "pkg:generic/python@3.13.5", "pkg:pypi/flask@3.0"]
