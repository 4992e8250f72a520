"""Each layer of an image with the step that made it, whoever built it."""

from __future__ import annotations

import pytest

from s2i.images.stock.layers import Layer, layers

DOCKERFILE = """\
FROM b:1 AS build
RUN make everything
FROM r:1
WORKDIR /app
ENV A=b
# Copy the environment, without the tools that made it
COPY --from=build ["/opt/venv", "/opt/venv"]
# Copy the source, last: it changes most often
COPY [".", "/app/"]
RUN python -c 'x'
USER 1001:0
CMD ["x"]
"""


def rows(*said: tuple[str, int]) -> list[dict[str, object]]:
    return [{"CreatedBy": text, "Size": size} for text, size in said]


BUILDKIT = rows(
    ('CMD ["x"]', 0),
    ("USER 1001:0", 0),
    ("RUN /bin/sh -c python -c 'x' # buildkit", 30),
    ("COPY . /app/ # buildkit", 20),
    ("COPY /opt/venv /opt/venv # buildkit", 700),
    ("ENV A=b", 0),
    ("WORKDIR /app", 0),
    ("/bin/sh -c #(nop) ADD file:x in / ", 4000),
    ("", 1000),
)
CLASSIC = rows(
    ("/bin/sh -c #(nop)  LABEL s2i.build=shop", 0),
    ('/bin/sh -c #(nop)  CMD ["x"]', 0),
    ("/bin/sh -c #(nop)  USER 1001:0", 0),
    ("|1 HTTP_PROXY=http://p /bin/sh -c python -c 'x'", 30),
    ("/bin/sh -c #(nop) COPY dir:1 in /app/ ", 20),
    ("/bin/sh -c #(nop) COPY dir:2 in /opt/venv ", 700),
    ("/bin/sh -c #(nop)  ENV A=b", 0),
    ("/bin/sh -c #(nop) WORKDIR /app", 0),
    ("", 5000),
)


@pytest.mark.parametrize("history", [BUILDKIT, CLASSIC], ids=["buildkit", "classic"])
def test_a_layer_is_called_by_the_comment_above_its_step(history: list[dict[str, object]]) -> None:
    assert layers(history, DOCKERFILE, "r:1") == (
        Layer(5000, "the base image r:1"),
        Layer(700, "Copy the environment, without the tools that made it"),
        Layer(20, "Copy the source, last: it changes most often"),
        Layer(30, "RUN python -c 'x'"),
    )


def test_without_a_dockerfile_the_builders_own_words_are_shown() -> None:
    assert layers(BUILDKIT, "", "") == (
        Layer(1000, ""),
        Layer(4000, "ADD file:x in /"),
        Layer(700, "COPY /opt/venv /opt/venv"),
        Layer(20, "COPY . /app/"),
        Layer(30, "RUN python -c 'x'"),
    )


def test_a_history_that_does_not_fit_the_dockerfile_keeps_the_builders_words() -> None:
    odd = rows(("RUN /bin/sh -c odd # buildkit", 5), ("COPY a b # buildkit", 6))
    assert layers(odd, "FROM x\nCMD run\n", "x") == (Layer(6, "COPY a b"), Layer(5, "RUN odd"))
