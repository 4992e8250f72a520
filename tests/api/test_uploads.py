"""Folders that come over the network: checked, deployed, and gone; and no way to a folder of the server."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path
from typing import Any

from litestar.testing import TestClient

from s2i import dirs
from s2i.api.app import BODY_LIMIT
from s2i.resources.app import Config
from s2i.resources.job import Job
from s2i.sources import archive, local
from tests.api.peopled import Peopled

AT = "/v1/projects/shop"


def bearer(peopled: Peopled, who: str = "writer") -> dict[str, str]:
    return {"Authorization": f"Bearer {peopled.tokens[who]}"}


def packed(folder: Path, size: int = 10) -> bytes:
    folder.mkdir()
    (folder / "app.py").write_bytes(b"#" * size)
    file = io.BytesIO()
    archive.pack(local.listing(str(folder)), file)
    return file.getvalue()


def send(door: TestClient, peopled: Peopled, data: bytes, **headers: str) -> Any:
    return door.post(f"{AT}/uploads", headers={**bearer(peopled), **headers}, content=data)


def left() -> list[str]:
    return [path.name for path in (dirs.state() / "uploads").glob("*/*")]


def test_a_folder_is_sent_deployed_and_gone(door: TestClient, peopled: Peopled, tmp_path: Path) -> None:
    sent = send(door, peopled, packed(tmp_path / "src"))
    assert (sent.status_code, sent.json()["files"]) == (201, 1)
    source = {"type": "upload", "id": sent.json()["upload"], "title": "src", "project": "other"}
    begun = door.post(f"{AT}/deployments", headers=bearer(peopled), json={"name": "web", "source": source})
    assert (begun.status_code, begun.json()["source"]) == (201, "src")
    list(door.get(f"{AT}/deployments/{begun.json()['id']}/events", headers=bearer(peopled)).iter_lines())
    until = time.monotonic() + 5
    while left():
        assert time.monotonic() < until
        time.sleep(0.01)
    again = door.post(f"{AT}/deployments", headers=bearer(peopled), json={"name": "web", "source": source})
    assert (again.status_code, again.json()["error"]["code"]) == (422, "E_UPLOAD")
    deeds = [(one.verb, one.name, one.status, one.after.get("source")) for one in peopled.store.deeds()]
    assert deeds[:2] == [("app upload", "", 201, None), ("app deploy", "web", 201, "src, sent")]


def test_what_was_sent_to_one_project_is_nothing_to_another(door: TestClient, peopled: Peopled, tmp_path: Path) -> None:
    ident = send(door, peopled, packed(tmp_path / "src")).json()["upload"]
    source = {"type": "upload", "id": ident, "title": "src", "project": "shop"}
    answer = door.post(
        "/v1/projects/other/deployments", headers=bearer(peopled, "stranger"), json={"name": "web", "source": source}
    )
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "E_UPLOAD")
    assert left() == [ident]


def test_an_archive_may_be_larger_than_other_bodies(door: TestClient, peopled: Peopled, tmp_path: Path) -> None:
    (tmp_path / "big").mkdir()
    (tmp_path / "big" / "data.bin").write_bytes(os.urandom(2 * BODY_LIMIT))
    file = io.BytesIO()
    archive.pack(local.listing(str(tmp_path / "big")), file)
    assert send(door, peopled, file.getvalue()).status_code == 201
    other = door.post(f"{AT}/secrets", headers=bearer(peopled), content=file.getvalue())
    assert other.status_code == 413


def test_what_is_no_archive_leaves_nothing(door: TestClient, peopled: Peopled) -> None:
    answer = send(door, peopled, b"no archive")
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "E_ARCHIVE")
    assert left() == []
    assert [(one.verb, one.code) for one in peopled.store.deeds()] == [("app upload", "E_ARCHIVE")]


def test_a_token_names_no_folder_of_the_server(door: TestClient, peopled: Peopled) -> None:
    body = {"name": "web", "source": {"type": "folder", "path": "/etc"}}
    for who in ("writer", "admin"):
        answer = door.post(f"{AT}/deployments", headers=bearer(peopled, who), json=body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "E_FORBIDDEN")


def test_a_token_runs_no_image_that_another_project_has_built(door: TestClient, peopled: Peopled) -> None:
    image = "sha256:" + "a" * 64
    made = peopled.store.accept_job(Job("other", "report", image, Config()), "", 1.0, None)
    assert made is None

    def asked(who: str, image: str, project: str = "shop") -> str:
        at = f"/v1/projects/{project}/deployments"
        body = {"name": "web", "image": image}
        answer = door.post(at, headers=bearer(peopled, who), json=body)
        return str(answer.json()["error"]["code"]) if answer.status_code >= 400 else ""

    for wanted in (image, "s2i/web", "s2i.local/python:3.13"):
        assert asked("writer", wanted) == "E_FORBIDDEN"
    assert (asked("stranger", image, "other"), asked("admin", image), asked("writer", "nginx")) == ("", "", "")
