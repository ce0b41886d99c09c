"""Runs ``dvmount`` within the test's process, or as a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from jupyter_dvmount.cli.verbs import cli

COMMAND = [sys.executable, "-m", "jupyter_dvmount.cli"]
Start = Callable[..., "subprocess.Popen[bytes]"]


class Dvmount:
    """Runs the command within this process."""

    def run(self, *args: str | Path, stdin: bytes = b"") -> Result:
        return CliRunner().invoke(cli, [str(arg) for arg in args], input=stdin)

    def __call__(self, *args: str | Path, stdin: bytes = b"") -> str:
        """Standard output of a command that succeeds."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *args: str | Path) -> Any:
        return json.loads(self(*args, "-o", "json"))

    def error(self, *args: str | Path, stdin: bytes = b"") -> str:
        """The one line of a command that fails."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == 1, result.output
        assert result.stdout == ""
        (line,) = result.stderr.splitlines()
        assert line.startswith("error: ")
        return line.removeprefix("error: ")

    def paths(self, place: str) -> list[str]:
        """The paths of one directory of the store."""
        return [line.split("\t")[0] for line in self("list", "file", place).splitlines()]

    def commits(self, repo: str = "images") -> list[str]:
        return [commit["id"] for commit in self.json("list", "commit", repo)]
