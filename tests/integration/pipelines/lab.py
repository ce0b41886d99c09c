"""A store, its pipelines, and a real controller process beside the test."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import yaml

from jupyter_dvmount.config import Config
from jupyter_dvmount.mounting.manager import MountManager
from jupyter_dvmount.pipelines.controller.lease import is_held
from jupyter_dvmount.pipelines.controller.process import stop_controller
from jupyter_dvmount.pipelines.jobs import FINAL, Job
from jupyter_dvmount.pipelines.jobs.database import open_database
from jupyter_dvmount.pipelines.service import Pipelines
from jupyter_dvmount.pipelines.spec import parse
from jupyter_dvmount.store import NotFound, open_store

CONTROLLER = [sys.executable, "-m", "jupyter_dvmount.pipelines.controller"]


class Lab:
    """Everything below a directory. Pipelines are made without a controller; `start` starts one."""

    def __init__(
        self, root: Path, *, state: Path | None = None, tier: str = "plain", **settings: str
    ) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        url = (root / "store").as_uri()
        self.config = Config(store=url, state=state or root / "state", root=root / "root", **settings)
        self.store = open_store(url)
        self.database = open_database(self.config, self.store)
        self.pipelines = Pipelines(self.config, self.store, self.database)
        self.pipelines.ensure_controller = lambda: None  # type: ignore[method-assign]
        self.environment = {
            **os.environ,
            "DVMOUNT_STATE": str(self.config.state),
            "DVMOUNT_ROOT": str(self.config.root),
            "DVMOUNT_JOBS": self.config.jobs,
            "DVMOUNT_EXECUTOR": self.config.executor,
            "DVMOUNT_DASK": self.config.dask,
            "DVMOUNT_TIER": tier,
            "DVMOUNT_MODE": "checkout",
        }
        self.process: subprocess.Popen[bytes] | None = None

    # data

    def put(self, repo: str, **files: str | bytes | None) -> str:
        """Commit files by name (``__`` is a slash); None deletes one. The commit's id."""
        try:
            self.store.inspect_repo(repo)
        except NotFound:
            self.store.create_repo(repo)
        with self.store.modify(repo, "master") as writer:
            for name, content in files.items():
                path = "/" + name.replace("__", "/")
                if content is None:
                    writer.delete(path)
                else:
                    writer.put(path, content.encode() if isinstance(content, str) else content)
        return writer.commit.id

    def files(self, repo: str, ref: str = "master") -> dict[str, str]:
        """Contents by path."""
        reader = self.store.read(repo, ref)
        return {f.path: reader.open(f.path).read().decode() for f in reader.walk("/") if f.type == "file"}

    # pipelines

    def spec(self, name: str, script: str, input: Any, **fields: Any) -> str:
        """A spec; an input that is text is ``repo:glob``."""
        if isinstance(input, str):
            repo, _, glob = input.partition(":")
            input = {"pfs": {"repo": repo, "glob": glob}}
        transform = {"cmd": ["sh"], "stdin": [script], **fields.pop("transform", {})}
        return yaml.safe_dump({"pipeline": {"name": name}, "input": input, "transform": transform, **fields})

    def create(self, *args: Any, **fields: Any) -> None:
        """Make a pipeline; as `spec`."""
        self.pipelines.create([each.spec for each in parse(self.spec(*args, **fields))])

    def update(self, *args: Any, reprocess: bool = False, **fields: Any) -> None:
        """Change a pipeline; as `spec`."""
        specs = [each.spec for each in parse(self.spec(*args, **fields))]
        self.pipelines.update(specs, reprocess=reprocess)

    def newest(self, pipeline: str) -> Job:
        """The newest job of a pipeline."""
        return next(iter(self.pipelines.jobs(pipeline)))

    def wait(self, pipeline: str, id: str = "", seconds: float = 30) -> Job:
        """The end of a job, of the newest one without an id."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = [*self.pipelines.jobs(pipeline, id)][:1]
            if found and found[0].state in FINAL:
                return found[0]
            assert self.process is None or self.process.poll() is None, self.log()
            time.sleep(0.03)
        raise AssertionError(f"{found}\n{self.log()}")

    def until(self, ready: Callable[[], Any], seconds: float = 20) -> Any:
        """What ``ready`` gives, as soon as it is true."""
        deadline = time.monotonic() + seconds
        while not (found := ready()):
            assert time.monotonic() < deadline, self.log()
            time.sleep(0.02)
        return found

    # processes

    def start(self, program: list[str] | None = None, **environment: str) -> subprocess.Popen[bytes]:
        """Start a controller and wait until it has the lease."""
        self.config.state.mkdir(exist_ok=True)
        with (self.config.state / "controller.log").open("ab") as output:
            self.process = subprocess.Popen(
                [*(program or CONTROLLER), "--store", self.config.store],
                env={**self.environment, **environment},
                stdout=output,
                stderr=output,
            )
        process = self.process
        self.until(lambda: is_held(self.database) or process.poll() is not None)
        return self.process

    def once(self) -> None:
        """Run a controller until nothing is left to do."""
        arguments = ["--store", self.config.store, "controller", "--once"]
        subprocess.run(
            [sys.executable, "-m", "jupyter_dvmount.cli", *arguments], env=self.environment, check=True
        )

    def kill(self) -> None:
        """Kill the controller by SIGKILL."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def log(self) -> str:
        """What the controllers have said."""
        return (self.config.state / "controller.log").read_text()[-5000:]

    def descendants(self) -> list[psutil.Process]:
        """The processes of controllers and agents, whoever is their parent now."""
        return [each for each in psutil.process_iter() if self._is_ours(each)]

    def _is_ours(self, process: psutil.Process) -> bool:
        state = str(self.config.state)
        with suppress(psutil.Error, OSError):
            its = process.environ().get("DVMOUNT_STATE", "")
            is_ours = its == state or its.startswith(f"{state}/") or state in " ".join(process.cmdline())
            return is_ours and process.pid != os.getpid()
        return False

    def close(self) -> None:
        """End everything, and see that nothing is left."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)
        stop_controller(self.database)
        manager = MountManager(self.config, self.store)
        manager.stop()
        self.pipelines.close()
        self.store.close()
        self.until(lambda: self.descendants() == [], seconds=10)
