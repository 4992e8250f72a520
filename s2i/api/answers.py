"""The one form in which everything that goes wrong is answered."""

from __future__ import annotations

from http import HTTPStatus

import msgspec

from s2i.errors import (
    E_ATTEMPTS,
    E_BUSY,
    E_DISK,
    E_DOCKER,
    E_DUMP,
    E_FORBIDDEN,
    E_HOST,
    E_NEVER_STARTED,
    E_NO_PROJECT,
    E_NO_SERVICE,
    E_NO_SUCH_REVISION,
    E_NO_TOKEN,
    E_NO_VOLUME,
    E_NOT_FOUND,
    E_ONCE,
    E_PROJECT_DELETED,
    E_QUOTA,
    E_ROLE,
    E_SLOW,
    E_TOKEN,
    E_TOKEN_NAME,
    S2IError,
)

STATUS = {2: 400, 3: 422, 4: 422, 5: 422, 6: 500, 7: 409, 75: 503, 130: 409}  # by exit code
STATUS_OF = {
    E_NOT_FOUND: 404,
    E_NO_SUCH_REVISION: 404,
    E_PROJECT_DELETED: 409,
    E_NEVER_STARTED: 404,
    E_NO_PROJECT: 404,
    E_NO_TOKEN: 404,
    E_NO_VOLUME: 404,
    E_NO_SERVICE: 404,
    E_QUOTA: 403,
    E_FORBIDDEN: 403,
    E_ROLE: 403,
    E_TOKEN: 401,
    E_TOKEN_NAME: 409,
    E_ONCE: 422,
    E_DUMP: 422,
    E_ATTEMPTS: 429,
    E_HOST: 421,
    E_SLOW: 408,
    E_DISK: 507,
    E_DOCKER: 503,
    E_BUSY: 409,
}
AGAIN_SECONDS = "2"


class Refusal(msgspec.Struct, frozen=True):
    """An error as HTTP tells it."""

    status: int
    body: bytes
    headers: dict[str, str]


def refusal(error: S2IError) -> Refusal:
    """Return how an error is answered."""
    status = STATUS_OF.get(error.kind, STATUS.get(error.exit, 500))
    headers = {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = AGAIN_SECONDS
    elif status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = "Bearer"
    elif error.kind is E_ATTEMPTS:
        headers["Retry-After"] = str(error.facts["seconds"])
    body = msgspec.json.encode({"error": {**error.as_dict(), "exit": error.exit}})
    return Refusal(status, body, headers)
