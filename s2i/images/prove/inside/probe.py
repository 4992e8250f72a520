"""Ask the port until something answers HTTP: ``probe SIGN PORT SECONDS``. See inside/__init__.py."""

import os
import socket
import sys
import time

SIGN = (sys.argv[1:] or [""])[0]
ATTEMPT_SECONDS = 2.0  # for one answer, as the platform's own probe
PAUSE_SECONDS = 0.01
LOOK_SECONDS = 0.1  # between two looks at who listens


def probe(port: int, seconds: float, is_over=lambda: False):  # type: ignore[no-untyped-def]
    """Yield ``listens ADDRESS:PORT …`` (hexadecimal, as the kernel does) when that changes, and ``answers STATUS``.

    It asks the network that the calling thread is in. Ends without a word when ``is_over()``.
    """
    end, looked, seen = time.monotonic() + seconds, 0.0, None
    while time.monotonic() < end:
        status = ask(port)
        if is_over():
            return
        if status or time.monotonic() - looked > LOOK_SECONDS:
            looked, found = time.monotonic(), listening()
            if found != seen:
                seen = found
                yield "listens", " ".join(sorted(found))
        if status:
            yield "answers", status
            if status != "nothing":
                return
        time.sleep(PAUSE_SECONDS)
    yield "answers", "late"


def ask(port: int) -> str:
    """Return the status of an HTTP answer, "nothing" when a connection is taken and no HTTP comes, "" for no one."""
    end = time.monotonic() + ATTEMPT_SECONDS
    try:
        with socket.create_connection(("127.0.0.1", port), ATTEMPT_SECONDS) as there:
            there.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nUser-Agent: s2i-proof\r\nConnection: close\r\n\r\n")
            head = b""
            while b"\n" not in head and len(head) < 4096:
                there.settimeout(max(end - time.monotonic(), 0.001))  # for all of it: bytes may come one by one
                more = there.recv(4096)
                if not more:
                    break
                head += more
    except ConnectionRefusedError:
        return ""
    except OSError:
        return "nothing"
    words = head.split(b"\n")[0].split()
    if len(words) >= 2 and words[0].startswith(b"HTTP/") and words[1].isdigit() and len(words[1]) == 3:
        return words[1].decode()
    return "nothing"


def listening() -> set:  # type: ignore[type-arg]
    """Return the local addresses that are listened on, as /proc writes them."""
    lines = []
    for table in ("/proc/thread-self/net/tcp", "/proc/thread-self/net/tcp6"):
        try:
            with open(table) as file:
                lines += file.readlines()[1:]
        except OSError:
            continue
    rows = [line.split() for line in lines]
    return {row[1] for row in rows if len(row) > 3 and row[3] == "0A"}


def say(word: str, value: str) -> None:
    """Write one marked line at once."""
    os.write(1, f"\ns2i-proof {SIGN} {word} {value}\n".encode("utf-8", "backslashreplace"))


if __name__ == "__main__":
    for said in probe(int(sys.argv[2]), float(sys.argv[3])):
        say(*said)
