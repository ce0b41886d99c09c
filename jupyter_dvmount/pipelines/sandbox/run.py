"""One attempt of a datum: the code, and if it fails what the spec has for that case."""

from __future__ import annotations

import signal
import time
from contextlib import suppress

from msgspec.structs import replace

from jupyter_dvmount.store import StoreError

from .cgroups import Cgroups, Group
from .disk import Disk
from .plan import Command, FailureClass, Launch, Outcome, Place, Plan, Sandbox, State
from .supervise import Cancel, Run, Sink, Supervisor

_HEAD = 4096  # bytes of output kept to tell the sandbox's own failures from the code's
_KILLED = 128 + signal.SIGKILL
_TOO_LARGE = 128 + signal.SIGXFSZ


def run_plan(
    plan: Plan,
    place: Place,
    *,
    sandbox: Sandbox,
    supervisor: Supervisor,
    cgroups: Cgroups,
    sink: Sink,
    cancel: Cancel,
) -> Outcome:
    """Run a plan once.

    Parameters
    ----------
    plan, place
        What, and with which directories.
    sandbox, supervisor, cgroups
        In which tier, by whom, and within which bounds.
    sink
        Gets what is printed.
    cancel
        Asks for the end.

    Returns
    -------
    Outcome
        Whatever happens; what it runs on failing is an outcome, too.
    """
    begin = time.monotonic()
    try:
        attempt = _Attempt(
            plan,
            place,
            sandbox=sandbox,
            supervisor=supervisor,
            cgroups=cgroups,
            sink=sink,
            cancel=cancel,
            begin=begin,
        )
        outcome = attempt.run(Command(plan.cmd, _lines(plan.stdin)))
        if outcome.failure == "user" and plan.err_cmd:
            handled = attempt.run(Command(plan.err_cmd, _lines(plan.err_stdin)))
            if handled.state == "success":
                outcome = replace(outcome, state="recovered")
    except StoreError as error:
        fix = f"; {error.fix}" if error.fix else ""
        outcome = Outcome(state="failed", failure="infrastructure", reason=error.message + fix)
    return replace(outcome, seconds=time.monotonic() - begin)


class _Attempt:
    def __init__(
        self,
        plan: Plan,
        place: Place,
        *,
        sandbox: Sandbox,
        supervisor: Supervisor,
        cgroups: Cgroups,
        sink: Sink,
        cancel: Cancel,
        begin: float,
    ) -> None:
        self._plan = plan
        self._place = place
        self._sandbox = sandbox
        self._supervisor = supervisor
        self._cgroups = cgroups
        self._sink = sink
        self._cancel = cancel
        self._begin = begin
        self._disk = Disk(sandbox.scratch(place), plan.disk)

    def run(self, command: Command) -> Outcome:
        plan = self._plan
        launch = self._sandbox.launch(plan, self._place, command)
        if self._sandbox.tier == "image":  # the engine sets its limits itself
            return self._outcome(*self._supervise(launch), oom=False)
        launch = replace(launch, file_size=plan.disk)
        with self._cgroups.group(memory=plan.memory, cpu=plan.cpu) as group:
            launch = replace(launch, cgroups=group.members if group else (), memory=self._address_space())
            run, head = self._supervise(launch)
            return self._outcome(run, head, oom=_is_oom(group, run))

    def _address_space(self) -> int | None:
        return None if "memory" in self._cgroups.bounded else self._plan.memory

    def _supervise(self, launch: Launch) -> tuple[Run, bytes]:
        head = bytearray()

        def keep(data: bytes) -> None:
            if len(head) < _HEAD:
                head.extend(data[: _HEAD - len(head)])
            self._sink(data)

        left = None if self._plan.timeout is None else self._plan.timeout - (time.monotonic() - self._begin)
        timeout = None if left is None else max(left, 0.0)
        run = self._supervisor.run(
            launch, keep, self._cancel, disk=self._disk, timeout=timeout, grace=self._plan.grace
        )
        return run, bytes(head)

    def _outcome(self, run: Run, head: bytes, *, oom: bool) -> Outcome:
        failure, reason = self._failure(run, head, oom=oom)
        state: State = "cancelled" if run.why == "cancelled" else "failed" if failure else "success"
        return Outcome(
            state=state,
            failure="" if state == "cancelled" else failure,
            reason=reason,
            exit_code=None if run.refused else run.exit_code,
            cpu_seconds=run.cpu_seconds,
            memory=run.memory,
        )

    def _failure(self, run: Run, head: bytes, *, oom: bool) -> tuple[FailureClass, str]:
        plan = self._plan
        if run.why == "cancelled":
            return "", "cancelled"
        if run.why == "timeout":
            return "timeout", f"not finished after {plan.timeout:g} s (datum_timeout)"
        if run.refused:
            return "user", f"cannot be run: {run.refused}"
        if plan.disk is not None and self._is_too_much(run):
            return "user", f"wrote too much: the limit is {plan.disk} bytes (resource_limits.disk)"
        if run.exit_code == 0 or run.exit_code in plan.accept_return_code:
            return "", ""
        return self._blame(run, head, oom=oom)

    def _is_too_much(self, run: Run) -> bool:
        return run.why == "disk" or run.exit_code == _TOO_LARGE or self._disk.is_exceeded()

    def _blame(self, run: Run, head: bytes, *, oom: bool) -> tuple[FailureClass, str]:
        plan = self._plan
        if oom or (self._sandbox.tier == "image" and plan.memory is not None and run.exit_code == _KILLED):
            return "oom", f"out of memory: the limit is {plan.memory} bytes (resource_limits.memory)"
        own, reason = self._sandbox.explain(run.exit_code, head)
        if own == "user":
            return own, f"{_program(plan)}: {reason}"
        return (own, reason) if own else ("user", _ended(plan, run.exit_code))


def _is_oom(group: Group | None, run: Run) -> bool:
    return run.exit_code != 0 and group is not None and group.killed_for_memory()


def _ended(plan: Plan, exit_code: int) -> str:
    if exit_code in plan.exit_reasons:
        return plan.exit_reasons[exit_code]
    with suppress(ValueError):
        return f"{_program(plan)} was ended by {signal.Signals(exit_code - 128).name}"
    return f"{_program(plan)} ended with exit code {exit_code}"


def _program(plan: Plan) -> str:
    return plan.cmd[0] if plan.cmd else "the image's program"


def _lines(lines: tuple[str, ...]) -> bytes:
    return "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
