import os
from pathlib import Path

import pytest

from tests.integration.cli.command import Dvmount

VALUE = "local-0123456789abcdef"


def test_a_secret_is_made_from_a_kubernetes_file_and_never_shown(dvmount: Dvmount) -> None:
    Path("secret.yaml").write_text(
        f"kind: Secret\nmetadata: {{name: wandb}}\ntype: Opaque\nstringData: {{WANDB_API_KEY: {VALUE}}}\n"
    )
    outputs = [
        dvmount("create", "secret", "-f", "secret.yaml"),
        dvmount("list", "secret"),
        dvmount("list", "secret", "-o", "json"),
        dvmount("inspect", "secret", "wandb"),
        dvmount("inspect", "secret", "wandb", "-o", "json"),
        dvmount.error("create", "secret", "-f", "secret.yaml"),
    ]
    assert outputs[0] == "wandb\n"
    assert dvmount.json("list", "secret")[0]["keys"] == ["WANDB_API_KEY"]
    assert VALUE not in "".join(outputs)


def test_values_come_from_the_environment_and_from_standard_input(
    dvmount: Dvmount, monkeypatch: pytest.MonkeyPatch
) -> None:
    from jupyter_dvmount.pipelines.secrets import SecretStore

    monkeypatch.setenv("THE_KEY", VALUE)
    dvmount(
        "create", "secret", "both", "--from-env", "a=THE_KEY", "--from-stdin", "b", stdin=b"typed secret\n"
    )
    store = SecretStore(Path(os.environ["DVMOUNT_STATE"]) / "secrets")
    assert store.values("both") == {"a": VALUE.encode(), "b": b"typed secret"}


def test_a_variable_that_is_not_set_is_named(dvmount: Dvmount) -> None:
    assert "NO_SUCH_VARIABLE is not set" in dvmount.error(
        "create", "secret", "x", "--from-env", "key=NO_SUCH_VARIABLE"
    )


def test_a_deleted_secret_is_not_listed(dvmount: Dvmount) -> None:
    dvmount("create", "secret", "x", "--from-stdin", "key", stdin=b"value")
    dvmount("delete", "secret", "x")
    assert dvmount("list", "secret") == ""
    assert dvmount.error("delete", "secret", "x").startswith("no secret 'x'")


@pytest.mark.parametrize("args", [(), ("x",), ("x", "-f", "/dev/null")])
def test_a_secret_without_a_value_is_a_usage_error(dvmount: Dvmount, args: tuple[str, ...]) -> None:
    assert dvmount.run("create", "secret", *args).exit_code == 2
