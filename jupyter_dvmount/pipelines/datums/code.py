"""What of a pipeline decides on its results besides the data, in one normal form."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from jupyter_dvmount.pipelines.spec import PipelineSpec


class Code(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The code of a pipeline as datums are keyed by it.

    How much runs at a time, resources, timeouts and tries are not in it: they change no result. Secrets are
    in it by the version of their values, never by the values.

    Parameters
    ----------
    image
        Digest of the image, or its name where there is no digest; empty without an image.
    env
        Variables by name.
    secrets
        (name, key, env_var, mount_path, version) of each.
    notebook
        Hash of the frozen notebook.
    kernel
        That the notebook runs in instead of its own.
    parameters
        Of the notebook, as JSON with sorted keys.
    """

    cmd: tuple[str, ...] = ()
    stdin: tuple[str, ...] = ()
    image: str = ""
    env: tuple[tuple[str, str], ...] = ()
    secrets: tuple[tuple[str, str, str, str, str], ...] = ()
    notebook: str = ""
    kernel: str = ""
    parameters: bytes = b""
    err_cmd: tuple[str, ...] = ()
    err_stdin: tuple[str, ...] = ()
    accept_return_code: tuple[int, ...] = ()
    working_dir: str = ""
    user: str = ""
    salt: str = ""

    def encode(self) -> bytes:
        """Bytes that are equal exactly if the code is: lengths and counts go before what they measure.

        A field at its default is left out, so that fields added later change no key.
        """
        return msgspec.msgpack.encode(self)

    def changes(self, other: Code) -> tuple[str, ...]:
        """Names of the fields in which another one differs."""
        return tuple(name for name in self.__struct_fields__ if getattr(self, name) != getattr(other, name))


def code_of(
    spec: PipelineSpec,
    *,
    image_digest: str = "",
    secret_versions: Mapping[str, str] | None = None,
) -> Code:
    """The code of a spec.

    Parameters
    ----------
    image_digest
        What the image's name means now, where that is known.
    secret_versions
        Version of each secret by name.
    """
    transform, notebook, versions = spec.transform, spec.notebook, secret_versions or {}
    return Code(
        cmd=transform.cmd,
        stdin=transform.stdin,
        image=image_digest or transform.image,
        env=tuple(sorted(transform.env.items())),
        secrets=tuple(
            sorted(
                (each.name, each.key, each.env_var, each.mount_path, versions.get(each.name, ""))
                for each in transform.secrets
            )
        ),
        notebook=notebook.hash or notebook.path if notebook else "",
        kernel=notebook.kernel if notebook else "",
        parameters=msgspec.json.encode(notebook.parameters, order="deterministic") if notebook else b"",
        err_cmd=transform.err_cmd,
        err_stdin=transform.err_stdin,
        accept_return_code=tuple(sorted(set(transform.accept_return_code) - {0})),
        working_dir=transform.working_dir,
        user=transform.user,
        salt=spec.salt,
    )
