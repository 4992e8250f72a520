"""Services for apps: a database of a project, what tells an app how to reach it, and how an app gets that. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from s2i.errors import E_NAME
from s2i.resources.app import Config
from s2i.resources.bundle import EnvFrom, Values
from s2i.resources.mounts import Mount
from s2i.resources.names import app_name
from s2i.resources.volume import VolumeMount

ServiceKind = Literal["postgres", "redis"]
SERVICES = "CE_SERVICES"  # a JSON of everything that is bound
NAME_MOST = 50  # characters: its secret has a longer one
MEMORY, CPU = 256 << 20, 1.0
_SUFFIX = "-service"
_FOLDER, _DATA = "/run/service", "/data"


class About(NamedTuple):
    """What is to be known of one kind: where it listens, and the variable that its URL is in."""

    port: int
    variable: str


ABOUT: dict[ServiceKind, About] = {"postgres": About(5432, "DATABASE_URL"), "redis": About(6379, "REDIS_URL")}


def service_name(value: str) -> str:
    """Return ``value`` when it can name a service. Raises E_NAME."""
    if len(value) > NAME_MOST:
        raise E_NAME(what="service", value=value, why=f": it has more than {NAME_MOST} characters")
    return app_name(value)


def secret_of(service: str) -> str:
    """Return the name of the secret that holds the credentials of a service."""
    return f"{service}{_SUFFIX}"


def config(name: str, kind: ServiceKind, memory: int, cpu: float) -> Config:
    """Return how the container of a service is run: its credentials are files, its data is on a volume of its name."""
    return Config(
        memory=memory,
        cpu=cpu,
        port=ABOUT[kind].port,
        mounts=(Mount("secret", secret_of(name), _FOLDER),),
        volumes=(VolumeMount(name, _DATA),),
    )


def credentials(name: str, kind: ServiceKind, password: str) -> dict[str, bytes]:
    """Return what the secret of a service holds."""
    about, user = ABOUT[kind], "app" if kind == "postgres" else ""
    path = "app" if kind == "postgres" else "0"
    scheme = "postgresql" if kind == "postgres" else "redis"
    found: dict[str, Any] = {
        "username": user,
        "password": password,
        "host": name,
        "port": str(about.port),
        "database": path,
        "url": f"{scheme}://{user}:{password}@{name}:{about.port}/{path}",
    }
    whole = {kind: [{"name": name, "credentials": found}]}
    return {key: value.encode() for key, value in {**found, "services": json.dumps(whole)}.items()}


def binding(name: str, kind: ServiceKind, prefix: str = "") -> tuple[EnvFrom, ...]:
    """Return what gives an app the variables of a service; ``prefix`` goes before that of its URL."""
    secret = secret_of(name)
    url = EnvFrom("secret", secret, "url", f"{prefix}{ABOUT[kind].variable}")
    return url, EnvFrom("secret", secret, "services", SERVICES)


def bound(config: Config) -> dict[str, str]:
    """Return the services that an app is bound to, and the variable of each one's URL."""
    found = {}
    for one in config.env_from:
        if one.kind == "secret" and one.key == "url" and one.name.endswith(_SUFFIX):
            found[one.name.removesuffix(_SUFFIX)] = one.variable
    return found


def joined(before: Mapping[str, str], found: dict[str, str]) -> dict[str, str]:
    """Return the variables ``found``; of the services that both name the JSON holds all."""
    if SERVICES not in before or SERVICES not in found:
        return found
    try:
        whole: dict[str, list[Any]] = json.loads(before[SERVICES])
        for kind, each in json.loads(found[SERVICES]).items():
            whole[kind] = [*whole.get(kind, []), *each]
    except (ValueError, TypeError, AttributeError):
        return found  # it is not from us
    return {**found, SERVICES: json.dumps(whole)}


def password_of(values: Values) -> str:
    """Return the password that a secret of a service holds, "" when it holds none."""
    return values.get("password", b"").decode()
