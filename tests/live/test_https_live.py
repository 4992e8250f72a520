"""HTTPS: a real browser trusts the local CA once it is told to, domains of one's own, certificates by ACME."""

from __future__ import annotations

import http.client
import os
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from home import ROOT, Home

from tests.live import browser
from tests.live.browser import Browser

PAGE = """<!doctype html><title>echo</title><p id=said></p><script>
const socket = new WebSocket(`wss://${location.host}/echo`);
socket.onopen = () => socket.send("hello");
socket.onmessage = (event) => { document.getElementById("said").textContent = event.data; };
</script>"""
PROGRAM = (
    f"""
PAGE = {PAGE.encode()!r}
"""
    + """

async def app(scope, receive, send):
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] == "websocket.receive":
            await send({"type": "websocket.send", "text": f"heard {message['text']}"})
    elif scope["type"] == "http":
        headers = {key.decode(): value.decode() for key, value in scope["headers"]}
        body = PAGE if scope["path"] == "/" else headers.get("x-forwarded-proto", "").encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": body})
"""
)


@pytest.fixture(scope="module")
def home() -> Iterator[Home]:
    browser.installed()
    with tempfile.TemporaryDirectory(prefix="s2i-") as folder:
        made = Home(Path(folder), port=18780)
        made.environment |= {"S2I_HTTPS_PORT": "18790", "HOME": folder}
        yield made
        made.run("server", "stop", "--all", "--yes")


@pytest.fixture(scope="module")
def echo(home: Home, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    source = tmp_path_factory.mktemp("echo")
    (source / "app.py").write_text(PROGRAM)
    (source / "requirements.txt").write_text("")
    home.ok("deploy", str(source), "--name", "echo")
    found: dict[str, Any] = home.data("app", "get", "echo")
    return found


def root_of(home: Home) -> str:
    return str(home.data("tls", "show")["root"])


def ask(home: Home, host: str, path: str = "/", root: str = "") -> tuple[int, str]:
    """Ask over HTTPS, as a client that trusts nothing but the local CA."""
    context = ssl.create_default_context(cadata=root or root_of(home))
    port = int(home.data("tls", "show")["port"])
    connection = http.client.HTTPSConnection(host, port, timeout=20, context=context)
    # The name is not resolved: a domain of a test leads nowhere.
    connection._create_connection = lambda _address, *rest: __import__("socket").create_connection(  # type: ignore[attr-defined]
        ("127.0.0.1", port), *rest
    )
    connection.request("GET", path)
    answer = connection.getresponse()
    return answer.status, answer.read().decode()


def test_a_browser_trusts_an_app_when_it_is_told_to_and_its_websocket_works(
    home: Home, echo: dict[str, Any], tmp_path: Path
) -> None:
    url = echo["secure_url"]
    assert url.startswith("https://echo.default.localhost:18")
    home.environment["HOME"] = str(tmp_path)
    with Browser(tmp_path) as stranger:
        assert stranger.open(url) == "net::ERR_CERT_AUTHORITY_INVALID"
    assert "trusted by the browser" in home.ok("tls", "trust", "--browser", "--yes")
    assert home.ok("tls", "trust", "--browser", "--yes") == "it is trusted already"
    with Browser(tmp_path) as friend:
        assert friend.open(url) == ""
        assert friend.until("document.getElementById('said').textContent") == "heard hello"
        entry = "performance.getEntriesByType('navigation')[0].nextHopProtocol"
        assert (friend.ask("location.protocol"), friend.ask(entry)) == ("https:", "h2")
        assert friend.ask("isSecureContext")
    assert "no longer trusted by the browser" in home.ok("tls", "untrust", "--browser", "--yes")
    with Browser(tmp_path) as stranger:
        assert stranger.open(url) == "net::ERR_CERT_AUTHORITY_INVALID"


def test_an_app_is_told_how_it_was_reached(home: Home, echo: dict[str, Any]) -> None:
    host = "echo.default.localhost"
    assert ask(home, host, "/how") == (200, "https")
    connection = http.client.HTTPConnection("127.0.0.1", int(echo["url"].rpartition(":")[2]), timeout=20)
    connection.request("GET", "/how", headers={"Host": host, "X-Forwarded-Proto": "https"})
    assert connection.getresponse().read() == b"http"


def test_a_domain_leads_to_its_app_with_a_certificate_until_it_is_unmapped(home: Home, echo: dict[str, Any]) -> None:
    mapped = home.data("domain", "map", "Shop.Example.test.", "echo")
    assert (mapped["host"], mapped["app"], mapped["tls"]) == ("shop.example.test", "echo", "auto")
    root, until = root_of(home), time.monotonic() + 20
    while True:
        try:
            assert ask(home, "shop.example.test", "/how", root) == (200, "https")
            break
        except ssl.SSLError:  # the certificate is being made
            assert time.monotonic() < until
            time.sleep(0.05)
    assert [one["host"] for one in home.data("domain", "list")] == ["shop.example.test"]
    assert [one["host"] for one in home.data("app", "get", "echo")["domains"]] == ["shop.example.test"]
    taken = home.run("domain", "map", "shop.example.test", "nobody")
    assert (taken.returncode, 'there is no app "nobody"' in taken.stderr) == (2, True)
    home.ok("domain", "unmap", "shop.example.test")
    with pytest.raises(ssl.SSLError):  # there is no certificate for it any more
        ask(home, "shop.example.test", "/how", root)
    gone = home.run("domain", "unmap", "shop.example.test")
    assert (gone.returncode, 'there is no domain "shop.example.test"' in gone.stderr) == (2, True)


def test_a_killed_router_and_server_keep_certificates_and_domains(home: Home, echo: dict[str, Any]) -> None:
    home.ok("domain", "map", "kept.example.test", "echo")
    root = root_of(home)
    pid = int((home.folder / "run" / "caddy.pid").read_text())
    home.kill_server()
    os.kill(pid, 9)
    assert root_of(home) == root
    assert ask(home, "kept.example.test", "/how", root) == (200, "https")
    home.ok("domain", "unmap", "kept.example.test")


# ACME: a real authority on loopback, in a network namespace where its ports are free ---------------------------------


ISSUED = """
import json, os, ssl, socket, subprocess, sys, time
from pathlib import Path
folder, program = Path(sys.argv[1]), sys.argv[2]
config = {
    "admin": {"listen": f"unix/{folder}/acme.sock"},
    "storage": {"module": "file_system", "root": str(folder / "authority")},
    "apps": {
        "pki": {"certificate_authorities": {"local": {"install_trust": False}}},
        "http": {
            "http_port": 14001, "https_port": 14000,
            "servers": {"acme": {
                "listen": ["127.0.0.1:14000"],
                "automatic_https": {"disable": True},
                "tls_connection_policies": [{}],
                "routes": [{"handle": [{"handler": "acme_server", "challenges": ["http-01", "tls-alpn-01"]}]}],
            }},
        },
        "tls": {
            "certificates": {"automate": ["acme.example.test"]},
            "automation": {"policies": [{"issuers": [{"module": "internal"}]}]},
        },
    },
}
(folder / "acme.json").write_text(json.dumps(config))
authority = subprocess.Popen([program, "run", "--config", str(folder / "acme.json")], env={"HOME": str(folder), "PATH": os.defpath}, stderr=subprocess.DEVNULL)
root = folder / "authority" / "pki" / "authorities" / "local" / "root.crt"
while not root.exists():
    time.sleep(0.05)
os.environ |= {
    "S2I_HOME": str(folder / "home"), "S2I_HTTP_PORT": "80", "S2I_HTTPS_PORT": "443",
    "S2I_ACME_EMAIL": "ops@example.test", "S2I_ACME_DIRECTORY": "https://acme.example.test:14000/acme/local/directory",
    "S2I_ACME_ROOT": str(root),
}
from s2i.router.caddy import CaddyRouter
from s2i.router.router import Route
router = CaddyRouter()
router.ensure()
router.add(Route("default", "shop", domains=(("shop.example.test", "auto"), ("inside.example.test", "local"))))
try:
    for host, trusted in (("shop.example.test", root.read_text()), ("inside.example.test", router.authority())):
        context, until = ssl.create_default_context(cadata=trusted), time.monotonic() + 60
        while True:
            try:
                with context.wrap_socket(socket.create_connection(("127.0.0.1", 443), 5), server_hostname=host) as found:
                    print(host, dict(part[0] for part in found.getpeercert()["issuer"])["commonName"])
                    break
            except (ssl.SSLError, OSError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.1)
finally:
    router.stop()
    authority.terminate()
"""


def test_a_public_domain_gets_its_certificate_by_acme_and_another_from_this_machine(tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text("127.0.0.1 localhost acme.example.test shop.example.test inside.example.test\n")
    script = tmp_path / "issued.py"
    script.write_text(ISSUED)
    program = Path(sys.executable).parent / "caddy"
    inside = f'ip link set lo up; mount --bind {tmp_path}/hosts /etc/hosts; exec "$@"'
    words = ("unshare", "--net", "--mount", "sh", "-c", inside, "sh", sys.executable, str(script), str(tmp_path))
    done = subprocess.run(
        (*words, str(program)), env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    log = tmp_path / "home" / "state" / "caddy.log"
    assert done.returncode == 0, done.stderr[-2000:] + (log.read_text()[-3000:] if log.exists() else "")
    shop, inside_ = done.stdout.splitlines()
    assert shop.startswith("shop.example.test Caddy Local Authority")
    assert inside_.startswith("inside.example.test s2i local CA")
