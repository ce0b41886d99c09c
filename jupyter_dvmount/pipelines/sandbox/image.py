"""Tier A: podman or docker runs the spec's image."""

from __future__ import annotations

import io
import os
import re
import resource
import shutil
import subprocess
import tarfile
from collections.abc import Sequence
from pathlib import Path

from jupyter_dvmount.store import Invalid, Unavailable

from .plan import PFS, Bind, Command, FailureClass, Launch, Place, Plan, Tier

INSTALL = "sudo apt-get install -y podman runc"
LABEL = "dvmount"
_PROBE_IMAGE = "dvmount-probe:1"
_ROOT = frozenset({"", "0", "0:0", "root", "root:root"})
_PULLING = re.compile(rb"Trying to pull (\S+)\.\.\.|Unable to find image '(\S+)' locally")  # podman, docker
_PROBE_PATIENCE = 60.0
_LINGER = 5.0  # seconds for podman's own clean-up after a container has ended
_ENGINE_FAILED, _NOT_STARTED, _NOT_FOUND, _KILLED = 125, 126, 127, 137  # podman-run(1), exit status


class Image:
    """A `Sandbox` in which the spec's image is the root.

    Parameters
    ----------
    engine
        podman or docker, with the options that make it work here.
    options
        Of its ``run``.
    """

    tier: Tier = "image"

    def __init__(self, engine: Sequence[str], options: Sequence[str]) -> None:
        self._engine = tuple(engine)
        self._options = tuple(options)
        self._users: dict[str, str] = {}  # of images
        self.detail = " ".join(engine)

    def launch(self, plan: Plan, place: Place, command: Command) -> Launch:
        """Start ``podman run`` or ``docker run``; values of secrets go through its environment."""
        if not plan.image:
            raise Invalid("the spec names no image", fix="set transform.image, or use another tier")
        name = f"{LABEL}-{os.urandom(8).hex()}"
        place.out.mkdir(exist_ok=True)
        for bind in () if self.reads_private(plan) else place.kept:
            bind.source.chmod(0o777)  # for whoever the image's user is; nobody else can list the way to it
        environment = {**place.env, **plan.env, **place.secret_env}
        arguments = [*self._engine, "run", "--rm", "--interactive", "--name", name, "--label", LABEL]
        arguments += ["--pull", "missing", "--network", plan.network, *self._options]
        if plan.user:
            arguments += ["--user", plan.user]
        if plan.working_dir:
            arguments += ["--workdir", plan.working_dir]
        if plan.memory is not None:
            arguments += ["--memory", str(plan.memory), "--memory-swap", str(plan.memory)]
        if plan.cpu is not None:
            arguments += ["--cpus", f"{plan.cpu:g}"]
        if plan.disk is not None:
            arguments += ["--ulimit", f"fsize={plan.disk}:{plan.disk}"]
        for bind in (*place.inputs, *place.secrets):
            arguments += ["--mount", f"type=bind,src={bind.source},dst={bind.target},ro"]
        for bind in (Bind(place.out, f"{PFS}/out"), *place.kept):
            arguments += ["--mount", f"type=bind,src={bind.source},dst={bind.target}"]
        for key in environment:
            arguments += ["--env", key]  # without the value, which would be seen in the list of processes
        if command.argv:
            arguments += ["--entrypoint", command.argv[0]]
        arguments += [plan.image, *command.argv[1:]]
        return Launch(
            argv=tuple(arguments),
            env={**self._environment(), **environment},
            cwd="/",
            stdin=command.stdin,
            wrapped=True,
            inspect=(*self._engine, "inspect", "--format", "{{.State.Pid}}", name),
            remove=(*self._engine, "rm", "--force", name),
            linger=_LINGER,
        )

    def pfs(self, place: Place) -> str:
        """Itself."""
        return PFS

    def scratch(self, place: Place) -> tuple[Path, ...]:
        """The output. What is written to the container's own layer is the engine's to count."""
        return (place.out, *(bind.source for bind in place.kept))

    def explain(self, exit_code: int, output: bytes) -> tuple[FailureClass, str]:
        """What the engine's own exit codes mean."""
        last = (output.strip().splitlines() or [b""])[-1].decode(errors="replace")
        pulled = _PULLING.search(output) if exit_code == _ENGINE_FAILED else None
        if pulled is not None:
            image = (pulled[1] or pulled[2]).decode(errors="replace")
            return "infrastructure", (
                f"image {image} is not here and cannot be pulled: {last}; "
                "pull or build it, or correct transform.image"
            )
        if exit_code == _ENGINE_FAILED:
            return "infrastructure", f"the container could not be started: {last}"
        if output.startswith(b"ERROR (catatonit:") or (
            exit_code in {_NOT_STARTED, _NOT_FOUND} and b"Error: " in output
        ):
            return "user", f"the image cannot run it: {last}"
        return "", ""

    def reads_private(self, plan: Plan) -> bool:
        """If it is podman, whose root is this user, and the image does not become another one."""
        if Path(self._engine[0]).name != "podman":
            return False
        if plan.image not in self._users:
            done = _run([*self._engine, "image", "inspect", "--format", "{{.Config.User}}", plan.image])
            if done.returncode:
                return False  # not pulled yet
            self._users[plan.image] = done.stdout.decode().strip()
        return (plan.user or self._users[plan.image]) in _ROOT

    def warnings(self, plan: Plan) -> list[str]:
        """Of what is written, the engine's own layer is not counted."""
        if plan.disk is None:
            return []
        return ["the disk limit is for /pfs/out and for each file: what is written elsewhere is not added up"]

    def _environment(self) -> dict[str, str]:
        """What the engine itself needs."""
        names = (
            "PATH",
            "HOME",
            "XDG_RUNTIME_DIR",
            "DOCKER_HOST",
            "CONTAINER_HOST",
            "DBUS_SESSION_BUS_ADDRESS",
        )
        return {name: os.environ[name] for name in names if name in os.environ}


def ulimits() -> list[str]:
    """Limits that this process may hand on: the engines' own defaults are refused where it may not raise."""
    _, files = resource.getrlimit(resource.RLIMIT_NOFILE)
    _, processes = resource.getrlimit(resource.RLIMIT_NPROC)
    most = int(Path("/proc/sys/kernel/pid_max").read_text())  # to which podman lowers its own limit
    processes = most if processes == resource.RLIM_INFINITY else min(processes, most)
    return ["--ulimit", f"nofile={files}:{files}", "--ulimit", f"nproc={processes}:{processes}"]


def probe() -> Image:
    """Tier A, after running something in a container.

    Raises
    ------
    Unavailable
        With the reason of each engine that was tried.
    """
    reasons = []
    for engine in _candidates():
        for options in (["--init", *ulimits()], ulimits()):  # an init is a package of its own in Debian
            why = _why_not([*engine, "run", "--rm", "--network", "host", *options], engine)
            if not why:
                return Image(engine, options)
        reasons.append(f"{' '.join(engine)}: {why}")
    if not reasons:
        raise Unavailable("neither podman nor docker is installed", fix=INSTALL)
    raise Unavailable("; ".join(reasons), fix="make 'podman run' work for this user, or install runc")


def _candidates() -> list[tuple[str, ...]]:
    """Podman with each of its runtimes, since some refuse to work in some containers; then docker."""
    found: list[tuple[str, ...]] = []
    podman = shutil.which("podman")
    if podman:
        path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
        runtimes = [shutil.which(name, path=path) for name in ("crun", "runc")]
        found += [(podman, "--runtime", runtime) for runtime in runtimes if runtime]
    docker = shutil.which("docker")
    if docker:
        found.append((docker,))
    return found


def _why_not(run: list[str], engine: tuple[str, ...]) -> str:
    """Why a container cannot be run, or nothing."""
    try:
        made = _run([*engine, "import", "-", _PROBE_IMAGE], stdin=_root_file_system())
        if made.returncode:
            return _last(made.stderr)
        ran = _run([*run, _PROBE_IMAGE, "/true"])
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return _last(ran.stderr) if ran.returncode else ""


def _run(arguments: list[str], stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(arguments, input=stdin, capture_output=True, timeout=_PROBE_PATIENCE, check=False)


def _last(output: bytes) -> str:
    return (output.decode(errors="replace").strip().splitlines() or ["no reason given"])[-1]


def _root_file_system() -> bytes:
    """A tar archive with this machine's ``true`` and the libraries that it needs."""
    program = os.path.realpath(shutil.which("true") or "/bin/true")
    listed = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    libraries = re.findall(r"(/\S+) \(0x", listed)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", dereference=True) as archive:
        archive.add(program, "true")
        for library in libraries:
            archive.add(os.path.realpath(library), library)
    return buffer.getvalue()
