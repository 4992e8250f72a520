"""What was made is read off what clients and engines said, as recorded from 20.10 and 28."""

import json

import pytest

from s2i.images import result

CONFIG = "sha256:e0560313ae009e0a680b4570d36fb54e421dd58bb233954ba6831cab3e657b0c"
MANIFEST = "sha256:6986314d9a6a463dfcd8edeedb6d95035f5fd7a7ae36ddc6d4f40bfe1bc996a6"
ROWS = {
    "docker of 20.10, and the classic builder": (f"{CONFIG}\n", CONFIG),
    "buildx on 20.10": (json.dumps({"buildx.build.ref": "default/default/x", "containerimage.digest": CONFIG}), CONFIG),
    "buildx on 28": (
        json.dumps({"containerimage.config.digest": CONFIG, "containerimage.digest": CONFIG}),
        CONFIG,
    ),
    "buildx on 28 with a containerd image store": (
        json.dumps(
            {
                "containerimage.config.digest": CONFIG,
                "containerimage.descriptor": {"digest": MANIFEST, "size": 691, "platform": {"os": "linux"}},
                "containerimage.digest": MANIFEST,
                "image.name": f"moby-dangling@{MANIFEST}",
            }
        ),
        MANIFEST,
    ),
    "buildx that made no image": (json.dumps({"buildx.build.ref": "default/default/x"}), ""),
    "a file that was cut": ('{"containerimage.digest": "sha2', ""),
    "an empty file": ("", ""),
}


@pytest.mark.parametrize(("said", "expected"), ROWS.values(), ids=ROWS.keys())
def test_the_image_is_called_what_the_engine_calls_it(said: str, expected: str) -> None:
    assert result.identity(said) == expected


def test_a_graph_driver_counts_what_is_unpacked() -> None:
    assert result.size({"Size": 67519077}) == 67519077


def test_a_containerd_store_is_asked_for_what_is_unpacked() -> None:
    image = {"Kind": "image", "Size": {"Content": 64647384}, "ImageData": {"Size": {"Unpacked": 74215424}}}
    proof = {"Kind": "attestation", "Size": {"Content": 2048}}
    assert result.size({"Size": 64647384, "Manifests": [proof, image]}) == 74215424


def test_what_is_not_unpacked_counts_as_it_is() -> None:
    image = {"Kind": "image", "ImageData": {"Size": {"Unpacked": 0}}}
    assert result.size({"Size": 64647384, "Manifests": [image]}) == 64647384
