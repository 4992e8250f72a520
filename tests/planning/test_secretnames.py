"""Which names of variables look like a secret's."""

import pytest

from s2i.planning import secretnames
from s2i.planning.secretnames import looks_secret


@pytest.mark.parametrize(
    "name",
    [
        "TOKEN", "API_TOKEN", "api_key", "SECRET_KEY", "DB_PASSWORD", "PGPASSWD", "AWS_SECRET_ACCESS_KEY", "npmAuthToken",
        "GITHUB_PAT", "PRIVATE_KEY", "NPM_AUTHTOKEN", "APIKEY", "GOOGLE_CREDENTIALS", "MYSECRET", "DJANGO-SECRET",
    ],
)  # fmt: skip
def test_a_secret_is_known_by_its_name(name):
    assert looks_secret(name)


@pytest.mark.parametrize(
    "name",
    [
        "VERSION", "PWD", "GPG_KEY", "SSH_PUBLIC_KEY", "TOKENIZERS_PARALLELISM", "KEYBOARD", "DB_PASSWORD_FILE",
        "MAX_TOKENS", "AWS_ACCESS_KEY_ID", "PASSENGER", "MONKEY", "SECRET_NAME", "PATH", "PYTHONPATH", "DEFAULT_PRIMARY_KEY",
    ],
)  # fmt: skip
def test_a_false_friend_is_none(name):
    assert not looks_secret(name)


@pytest.mark.parametrize("friend", secretnames._table().friend, ids=lambda friend: friend.name)
def test_each_friend_of_the_table_has_an_effect_and_a_reason(friend, monkeypatch):
    name = friend.name.replace("*", "SECRET")
    assert (looks_secret(name), bool(friend.why)) == (False, True)
    table = secretnames._table()
    monkeypatch.setattr(secretnames, "_table", lambda: type(table)(table.words, table.endings, ()))
    assert looks_secret(name)
