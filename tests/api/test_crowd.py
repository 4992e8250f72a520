"""Connections at once: so many in all, so many of one address, and room again when one goes."""

from __future__ import annotations

import socket

import pytest

from s2i.api.crowd import Crowd, bounded


def test_there_is_room_for_so_many_in_all_and_of_one_address() -> None:
    crowd = Crowd(most=3, most_of_one=2)
    assert [crowd.enter("a"), crowd.enter("a"), crowd.enter("a")] == [True, True, False]
    assert [crowd.enter("b"), crowd.enter("c")] == [True, False]
    crowd.leave("a")
    assert [crowd.enter("c"), crowd.enter("a")] == [True, False]


@pytest.mark.world
def test_who_comes_when_there_is_no_room_is_hung_up_on_and_nobody_waits_for_them() -> None:
    with bounded(socket.create_server(("127.0.0.1", 0))) as server:
        server.crowd = Crowd(most_of_one=2)
        address = server.getsockname()
        server.settimeout(5)
        clients = [socket.create_connection(address, 5) for _ in range(2)]
        lines = [server.accept()[0] for _ in clients]
        late = socket.create_connection(address, 5)
        server.settimeout(0.2)
        with pytest.raises(TimeoutError):
            server.accept()
        assert late.recv(1) == b""
        lines[0].close()
        lines[0].close()
        clients.append(socket.create_connection(address, 5))
        lines.append(server.accept()[0])
        lines[-1].sendall(b"x")
        assert clients[-1].recv(1) == b"x"
        for one in (*clients, *lines, late):
            one.close()
