"""Names of apps and projects."""

import pytest

from s2i.errors import S2IError
from s2i.resources.names import NAME, app_name, project_name, suggest


@pytest.mark.parametrize("name", ["a", "shop", "my-shop-2", "a" * 63])
def test_a_dns_label_is_a_name(name: str) -> None:
    assert app_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "a b", "-rf", "a-", "A", "9a", "a/../b", "a\nb", "caf\u00e9", "$(id)", "a.", "a" * 64]
)
def test_what_is_no_dns_label_is_refused(name: str) -> None:
    with pytest.raises(S2IError) as caught:
        app_name(name)
    assert (caught.value.code, caught.value.exit) == ("E_NAME", 2)


def test_a_reserved_word_is_no_app_name_but_default_is_a_project() -> None:
    with pytest.raises(S2IError):
        app_name("default")
    assert project_name("default") == "default"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("My Shop.git", "my-shop"),
        ('x";id;$(id)', "x-id-id"),
        ("2048", "app-2048"),
        ("", "app"),
        ("default", "default-app"),
        ("--", "app"),
        ("a" * 80, "a" * 63),
    ],
)
def test_any_text_gives_a_usable_name(text: str, expected: str) -> None:
    assert suggest(text) == expected
    assert NAME.fullmatch(suggest(text))
