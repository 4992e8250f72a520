"""What looks like a secret is left out; what only resembles one is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from s2i.sources import secrets
from s2i.sources.local import listing

KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEA" * 5 + "\n"


def listed(folder: Path, name: str, text: str) -> bool:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    (folder / "app.py").write_text("x")
    return name in listing(str(folder)).paths()


@pytest.mark.parametrize(
    "name",
    [
        ".npmrc",
        ".git-credentials",
        ".git-credentials.old",
        "id_rsa",
        "id_rsa_work",
        "id_ed25519.bak",
        "id_ecdsa_sk",
        "id_dsa",
        "ID_RSA",
        "putty.ppk",
        ".s3cfg",
        ".boto",
        ".my.cnf",
        ".pgpass",
        ".vault-token",
        ".terraformrc",
        "kaggle.json",
        "client_secret_123.apps.googleusercontent.com.json",
        "release.keystore",
        "kubeconfig",
        "terraform.tfstate",
        "terraform.tfstate.backup",
        "prod.env",
        ".ENV",
        ".env",
        ".env.local",
        ".Env.Prod",
        "example.prod.env",
        "store.JKS",
    ],
)
def test_a_file_with_the_name_of_a_secret_is_taken_for_one(name: str) -> None:
    assert secrets.by_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "id_rsa.pub",
        "id_rsa_check.py",
        "example.env",
        "prod-example.env",
        "sample.env",
        "template.env",
        ".env.example",
        ".env.SAMPLE",
        ".env.prod.template",
        ".env.dist",
        "prod.env.dist",
        "env",
        "environment.py",
        "terraform.tf",
        "kubeconfig.py",
        "client_secrets.py",
        "secrets.toml",
        "npmrc",
    ],
)
def test_a_file_with_a_name_like_that_of_a_secret_is_not(name: str) -> None:
    assert not secrets.by_name(name)


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (".streamlit/secrets.toml", True),
        ("app/.streamlit/secrets.toml", True),
        ("x.streamlit/secrets.toml", False),
        (".streamlit/config.toml", False),
    ],
)
def test_the_secrets_of_streamlit_are_known_by_their_place(path: str, expected: bool) -> None:
    assert secrets.by_name(path.rpartition("/")[2], path) == expected


@pytest.mark.parametrize("name", [".kube/config", ".Kube/config", "home/.config/gcloud/adc.db", ".config/gcloud/x"])
def test_a_folder_of_secrets_is_left_out(tmp_path: Path, name: str) -> None:
    assert not listed(tmp_path, name, "x")


def test_another_folder_called_gcloud_is_listed(tmp_path: Path) -> None:
    assert listed(tmp_path, "config/gcloud/x.py", "x")


@pytest.mark.parametrize("name", ["deploy", "tls.pem", "tls.KEY", ".deploykey"])
def test_a_private_key_is_found_wherever_its_header_stands(tmp_path: Path, name: str) -> None:
    assert not listed(tmp_path, name, "# made by hand\n" * 1000 + KEY)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("tls.pem", "-----BEGIN CERTIFICATE-----\n" + "A" * 100),
        ("check", "grep 'PRIVATE KEY-----' \"$1\"\n" * 10),
        ("keys.py", KEY),
        ("data", KEY + "A" * (64 << 10)),
        ("service.json", '{"private_key": "", "type": "authorized_user"}' + " " * 100),
        ("other.json", '{"private_key": "", "type": "service_account"}' + " " * 100),
    ],
)
def test_what_holds_no_private_key_or_is_no_candidate_is_listed(tmp_path: Path, name: str, text: str) -> None:
    assert listed(tmp_path, name, text)


@pytest.mark.parametrize("name", ["service-account.json", "my-Credentials.json"])
def test_the_key_of_a_service_account_is_left_out(tmp_path: Path, name: str) -> None:
    assert not listed(tmp_path, name, '{"type": "service_account", "private_key": "x"}' + " " * 100)
