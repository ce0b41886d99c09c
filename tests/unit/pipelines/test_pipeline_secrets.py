import base64
import os
import stat
from pathlib import Path

import msgspec
import pytest

from jupyter_dvmount.pipelines.secrets import MAX_SIZE, SecretStore, read_manifests
from jupyter_dvmount.store import AlreadyExists, Corrupt, Denied, Invalid, NotFound

KEY = b"local-0123456789abcdef"


@pytest.fixture
def secrets(tmp_path: Path) -> SecretStore:
    return SecretStore(tmp_path / "state" / "secrets")


def test_values_come_back_as_they_were_put(secrets: SecretStore) -> None:
    secrets.create("wandb", {"key": KEY, "binary": bytes(range(256))})
    assert secrets.values("wandb") == {"key": KEY, "binary": bytes(range(256))}


def test_files_are_private_to_the_user(secrets: SecretStore, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        secrets.create("wandb", {"key": KEY})
    finally:
        os.umask(before)
    directory = tmp_path / "state" / "secrets"
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()} == {0o600}


def test_a_directory_that_was_opened_to_others_is_closed_again(secrets: SecretStore, tmp_path: Path) -> None:
    directory = tmp_path / "state" / "secrets"
    directory.mkdir(parents=True, mode=0o755)
    secrets.create("wandb", {"key": KEY})
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700


def test_listing_shows_keys_and_no_value(secrets: SecretStore) -> None:
    secrets.create("wandb", {"key": KEY})
    secrets.create("aws", {"id": b"AKIA", "secret": b"shh-shh-shh"})
    shown = msgspec.json.encode(list(secrets.list()))
    assert [each.name for each in secrets.list()] == ["aws", "wandb"]
    assert secrets.inspect("aws").keys == ("id", "secret")
    for value in (KEY, b"AKIA", b"shh-shh-shh"):
        assert value not in shown
        assert base64.b64encode(value) not in shown


def test_the_version_changes_with_the_values_and_only_with_them(secrets: SecretStore, tmp_path: Path) -> None:
    first = secrets.create("wandb", {"key": KEY})
    secrets.delete("wandb")
    assert secrets.create("wandb", {"key": KEY}).version == first.version
    assert secrets.create("other", {"key": KEY + b"0"}).version != first.version
    elsewhere = SecretStore(tmp_path / "elsewhere")
    assert elsewhere.create("wandb", {"key": KEY}).version != first.version  # a salt of its own


def test_an_existing_secret_is_never_replaced(secrets: SecretStore, tmp_path: Path) -> None:
    secrets.create("wandb", {"key": KEY})
    with pytest.raises(AlreadyExists):
        secrets.create("wandb", {"key": b"other"})
    assert secrets.values("wandb") == {"key": KEY}
    assert len(list((tmp_path / "state" / "secrets").iterdir())) == 2  # it and the salt


def test_a_deleted_secret_is_gone(secrets: SecretStore) -> None:
    secrets.create("wandb", {"key": KEY})
    secrets.delete("wandb")
    assert list(secrets.list()) == []
    for call in (secrets.inspect, secrets.values, secrets.delete):
        with pytest.raises(NotFound):
            call("wandb")


@pytest.mark.parametrize("name", ["", "..", "../x", ".salt", "A", "a/b", "-a", "a" * 254, "a\n"])
def test_names_that_are_not_legal_are_refused_and_read_nothing(secrets: SecretStore, name: str) -> None:
    secrets.create("wandb", {"key": KEY})
    with pytest.raises(Invalid):
        secrets.create(name, {"key": KEY})
    with pytest.raises(NotFound):
        secrets.values(name)


@pytest.mark.parametrize(
    "values", [{}, {"": b"x"}, {"a/b": b"x"}, {"..\n": b"x"}, {"key": b"x" * (MAX_SIZE + 1)}]
)
def test_values_that_are_not_legal_are_refused(secrets: SecretStore, values: dict[str, bytes]) -> None:
    with pytest.raises(Invalid):
        secrets.create("wandb", values)


def test_a_damaged_secret_is_named_and_not_shown(secrets: SecretStore, tmp_path: Path) -> None:
    secrets.create("wandb", {"key": KEY})
    (tmp_path / "state" / "secrets" / "wandb").write_bytes(b'{"key": "' + KEY)
    with pytest.raises(Corrupt, match="'wandb' is damaged") as caught:
        secrets.values("wandb")
    assert KEY.decode() not in str(caught.value)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_directory_is_refused(secrets: SecretStore, tmp_path: Path) -> None:
    directory = tmp_path / "state" / "secrets"
    directory.mkdir(parents=True)
    os.chown(directory, 65534, 65534)
    with pytest.raises(Denied):
        secrets.create("wandb", {"key": KEY})


def test_kubernetes_secrets_are_read_from_yaml_and_json() -> None:
    text = b"""
apiVersion: v1
kind: Secret
metadata: {name: wandb}
type: Opaque
data: {key: bG9jYWwtMDEyMzQ1Njc4OWFiY2RlZg==}
stringData: {entity: team}
---
{"kind": "Secret", "metadata": {"name": "aws"}, "stringData": {"id": "AKIA"}}
"""
    assert read_manifests(text) == [("wandb", {"key": KEY, "entity": b"team"}), ("aws", {"id": b"AKIA"})]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "no secret"),
        (b"{", "neither JSON nor YAML"),
        (b"\xff\xfe\x00", "neither JSON nor YAML"),
        (b"kind: ConfigMap", "no Kubernetes secret"),
        (b"[1, 2]", "no Kubernetes secret"),
        (b"{kind: Secret, type: kubernetes.io/tls, metadata: {name: x}}", "not Opaque"),
        (b"{kind: Secret, data: {key: c2VjcmV0}}", "metadata.name"),
        (b"{kind: Secret, metadata: {name: x}, data: {key: 'not-base64!'}}", "data.key is not base64"),
        (
            b"{kind: Secret, metadata: {name: x}, stringData: {key: 12345678}}",
            "key is not a string",
        ),
        (b"{kind: Secret, metadata: {name: x}, data: hunter2}", "data is not a mapping"),
    ],
)
def test_a_file_that_is_no_secret_is_refused_without_showing_what_is_in_it(text: bytes, message: str) -> None:
    with pytest.raises(Invalid, match=message) as caught:
        read_manifests(text)
    for value in ("hunter2", "not-base64!", "12345678", "c2VjcmV0"):
        assert value not in f"{caught.value} {caught.value.fix}"
