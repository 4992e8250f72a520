"""Fetch an app's page through the router and show the answer: `make demo`'s last step.

Asks 127.0.0.1 with the app's name as Host, because not every resolver knows *.localhost.
"""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

S2I = Path(sys.executable).parent / "s2i"


def main(name: str) -> int:
    """Show the answer of the app ``name``; 0 when it is 200."""
    shown = subprocess.run([S2I, "app", "get", name, "-o", "json"], check=True, capture_output=True, text=True)
    url = urlsplit(json.loads(shown.stdout)["url"])
    connection = http.client.HTTPConnection("127.0.0.1", url.port or 80, timeout=10)
    connection.request("GET", "/", headers={"Host": url.netloc})
    answer = connection.getresponse()
    body = answer.read().decode(errors="replace").strip()
    print(f"\n$ curl {url.geturl()}\n{answer.status} {answer.reason}\n{body}")
    return 0 if answer.status == 200 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
