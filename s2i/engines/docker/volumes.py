"""Volumes: named ones on the engine's own disk, with our labels and no options, so that none is a host's folder."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Sequence
from typing import Any

from s2i.engines.docker import connection
from s2i.engines.docker.sealed import UID
from s2i.errors import E_CONTAINER, E_DOCKER, E_IMAGE_GONE, E_VOLUME_USED
from s2i.resources import labels
from s2i.wire import Refused, Wire

GONE, CONFLICT = 404, 409
MODE = 0o770  # of the folder itself; who writes in it decides about the rest


def name_of(server: str, project: str, volume: str) -> str:
    """Return what a volume is called on the engine."""
    return f"s2i-{server}.{project}.{volume}"


def labels_of(server: str, project: str, volume: str) -> dict[str, str]:
    """Return the labels of a volume."""
    return {labels.SERVER: server, labels.PROJECT: project, labels.VOLUME: volume}


def make(wire: Wire, server: str, project: str, volume: str) -> None:
    """Make a volume unless it is there. Raises E_CONTAINER when somebody else made one of its name, E_DOCKER."""
    name, tags = name_of(server, project, volume), labels_of(server, project, volume)
    found = _asked(wire, "POST", "/volumes/create", {"Name": name, "Driver": "local", "Labels": tags})
    strange = found.get("Options") or found["Driver"] != "local"
    if strange or any((found["Labels"] or {}).get(key) != value for key, value in tags.items()):
        raise E_CONTAINER(name=name, why="there is a volume of that name which was not made by this s2i server")


def remove(wire: Wire, server: str, project: str, volume: str) -> None:
    """Remove a volume of ours with what is in it. One that is gone is no error. Raises E_VOLUME_USED, E_DOCKER."""
    try:
        wire.delete(f"/volumes/{name_of(server, project, volume)}")
    except Refused as error:
        if error.status == CONFLICT:
            raise E_VOLUME_USED(name=volume, users="a container that has not ended yet") from None
        if error.status != GONE:
            raise _meant(volume, error) from None
    except OSError as error:
        raise _silent(error) from None


def sizes(wire: Wire, server: str, project: str) -> dict[str, int]:
    """Return the bytes in each volume of a project, by its name, of those that the engine has counted."""
    found = _asked(wire, "GET", "/system/df?type=volume")["Volumes"] or ()
    ours = [one for one in found if _is_ours(one, server, project)]
    counted = {one["Labels"][labels.VOLUME]: (one.get("UsageData") or {}).get("Size", -1) for one in ours}
    return {name: size for name, size in counted.items() if size >= 0}


def sweep(wire: Wire, server: str, project: str = "") -> int:
    """Remove every volume of a server, or of one of its projects; return how many there were."""
    wanted = {"label": [f"{labels.SERVER}={server}", labels.VOLUME]}
    found = _asked(wire, "GET", "/volumes", query={"filters": json.dumps(wanted)})["Volumes"] or ()
    ours = [one["Labels"] for one in found if _is_ours(one, server, project)]
    for tags in ours:
        remove(wire, server, tags[labels.PROJECT], tags[labels.VOLUME])
    return len(ours)


def hand_over(wire: Wire, server: str, project: str, image: str, names: Sequence[str]) -> None:
    """Let the user of containers write to volumes, which the engine makes root's.

    No engine gives away a folder that it unpacks something in, so each lies in the root of a container that is made for
    it of ``image``, never started, and removed. Not to be called twice at once.
    Raises E_CONTAINER, E_IMAGE_GONE, E_DOCKER.
    """
    name = f"{name_of(server, project, 'volumes')}.hand-over"
    mounts = [
        {"Type": "volume", "Source": name_of(server, project, one), "Target": place, "VolumeOptions": {"NoCopy": True}}
        for one, place in zip(names, _places(names), strict=True)
    ]
    body = {
        "Image": image,
        "Entrypoint": ["-"],
        "Labels": {labels.SERVER: server, labels.READER: server},
        "HostConfig": {"Mounts": mounts, "NetworkMode": "none"},
    }
    try:
        _forget(wire, name)  # that of a server which was killed
        wire.post("/containers/create", {"name": name}, body)
        wire.raw("PUT", f"/containers/{name}/archive", {"path": "/"}, _folders(_places(names)))
        _forget(wire, name)
    except Refused as error:
        raise E_IMAGE_GONE(image=image) if error.status == GONE else _meant(name, error) from None
    except OSError as error:
        raise _silent(error) from None


def _places(names: Sequence[str]) -> list[str]:
    return [f"/volume-{number}" for number in range(len(names))]


def _forget(wire: Wire, container: str) -> None:
    with contextlib.suppress(Refused):
        wire.delete(f"/containers/{container}", {"force": "1", "v": "1"})


def _folders(places: Sequence[str]) -> bytes:
    """Return an archive of empty folders of the user of containers."""
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as archive:
        for place in places:
            entry = tarfile.TarInfo(place.removeprefix("/"))
            entry.type, entry.mode, entry.uid, entry.gid = tarfile.DIRTYPE, MODE, UID, 0
            archive.addfile(entry)
    return whole.getvalue()


def _is_ours(one: dict[str, Any], server: str, project: str) -> bool:
    tags = one["Labels"] or {}
    mine = tags.get(labels.SERVER) == server and labels.VOLUME in tags and project in ("", tags.get(labels.PROJECT))
    return mine and bool(one["Name"] == name_of(server, tags[labels.PROJECT], tags[labels.VOLUME]))


def _asked(wire: Wire, method: str, path: str, body: object = None, query: dict[str, str] | None = None) -> Any:
    try:
        return wire.post(path, query, body) if method == "POST" else wire.get(path, query)
    except Refused as error:
        raise _meant(path, error) from None
    except OSError as error:
        raise _silent(error) from None


def _meant(name: str, error: Refused) -> Exception:
    return E_CONTAINER(name=name, why=error)


def _silent(error: OSError) -> Exception:
    return E_DOCKER(socket=connection.host(), why=error)
