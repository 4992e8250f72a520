"""A server that is elsewhere: S2I_SERVER names it, S2I_TOKEN says who asks, S2I_CA vouches for it."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import msgspec

from s2i.errors import (
    E_REMOTE,
    E_SERVER_REMOTE,
    E_SERVER_UNKNOWN,
    E_SERVER_URL,
    E_TOKEN,
    S2IError,
)

if TYPE_CHECKING:
    import ssl

SERVER, TOKEN, CA = "S2I_SERVER", "S2I_TOKEN", "S2I_CA"
_URL = r"https://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?"  # not compiled: most have no such server


class Remote(msgspec.Struct, frozen=True):
    """A server that is elsewhere. ``ca``: a file of PEM that vouches for it, "" for whom the system trusts."""

    url: str
    token: str
    ca: str = ""

    def headers(self) -> dict[str, str]:
        """Return what goes with each request."""
        return {"Authorization": f"Bearer {self.token}"}

    def context(self) -> ssl.SSLContext:
        """Return how a connection is secured; its certificate is verified in every case. Raises E_SERVER_URL."""
        import ssl  # who has a server of this machine needs none of it

        try:
            return ssl.create_default_context(cafile=self.ca or None)
        except OSError as error:
            why = "it holds no certificate in PEM" if isinstance(error, ssl.SSLError) else error.strerror or error
            raise E_SERVER_URL(what=CA, value=self.ca, why=why, advice="name the file of a certificate") from None

    def failure(self, error: OSError) -> S2IError:
        """Return what to say of a call that failed."""
        import ssl

        cause = error.__cause__ if isinstance(error.__cause__, OSError) else error
        if isinstance(cause, ssl.SSLCertVerificationError):
            return E_SERVER_UNKNOWN(url=self.url, why=cause.verify_message.rstrip("."))
        why = cause.strerror or str(cause) or type(cause).__name__
        advice = "see that it runs and listens there (`s2i server status` on its machine), and that this one reaches it"
        return E_SERVER_REMOTE(url=self.url, why=why, advice=advice)


def named() -> Remote | None:
    """Return the server that S2I_SERVER names, None for the one of this machine. Raises E_SERVER_URL, E_TOKEN."""
    from s2i.resources.people import is_token

    if not (url := os.environ.get(SERVER, "").rstrip("/")):
        return None
    if not re.fullmatch(_URL, url):
        clear = url.startswith("http://")
        why = "http:// would show the token to everybody on the way" if clear else "it is no https://HOST:PORT"
        raise E_SERVER_URL(what=SERVER, value=url if "@" not in url else "***", why=why)
    token = os.environ.get(TOKEN, "").strip()
    if not is_token(token):
        raise E_TOKEN(why=f"{TOKEN} is not set" if not token else f"what {TOKEN} holds is none")
    return Remote(url, token, os.environ.get(CA, ""))


def refuse(what: str) -> None:
    """Return unless commands mean a server that is elsewhere, where ``what`` cannot be done from. Raises E_REMOTE."""
    if url := os.environ.get(SERVER, ""):
        raise E_REMOTE(what=what, url=url if "@" not in url else "***")
