"""The logs of a job are read on as one text: nothing twice, nothing lost, wherever the reader stopped."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from jupyter_dvmount.pipelines.logs import LogKey, LogLine, LogStore
from jupyter_dvmount.pipelines.tail import Line, LogPart, read_on
from jupyter_dvmount.store import Invalid


class Printer:
    """Attempts of one job that print."""

    def __init__(self, directory: Path) -> None:
        self.logs = LogStore(directory)

    def print(self, datum: str, *texts: str, attempt: int = 1, end: str = "", reason: str = "") -> None:
        lines = [LogLine(time=1.5, text=text) for text in texts]
        lines += [LogLine(time=2.5, text=reason, engine=True, end=end)] if end else []
        self.logs.append(LogKey("p@1", datum, attempt), lines)

    def read(self, after: str = "", *, datum: str = "", failed: bool = False) -> LogPart:
        return read_on(self.logs, "p@1", "p@1", after, datum=datum, failed=failed)


@pytest.fixture
def printer(tmp_path: Path) -> Printer:
    return Printer(tmp_path)


def texts(part: LogPart) -> list[str]:
    return [f"{each.datum}{each.attempt} {each.text}" for each in part.items]


def test_attempts_come_in_the_order_in_which_they_began_and_each_whole(printer: Printer) -> None:
    printer.print("b", "one")
    printer.print("a", "two", end="success")
    printer.print("b", "three", end="failed", reason="exit code 1")
    part = printer.read()
    assert texts(part) == ["b1 one", "b1 three", "b1 failed: exit code 1", "a1 two"]
    assert not part.more
    assert texts(printer.read(part.next)) == []


def test_what_comes_later_is_read_on_from_the_place(printer: Printer) -> None:
    assert texts(printer.read()) == []
    printer.print("a", "one")
    printer.print("b", "two", end="success")
    first = printer.read()
    printer.print("a", "three", end="success")
    printer.print("c", "four")
    second = printer.read(first.next)
    assert texts(first) == ["a1 one", "b1 two"]
    assert texts(second) == ["a1 three", "c1 four"]
    assert texts(printer.read(second.next)) == []


def test_one_datum_and_failed_attempts_only(printer: Printer) -> None:
    printer.print("ab", "one", end="failed", reason="no")
    printer.print("cd", "two", end="success")
    printer.print("ab", "three", attempt=2)
    assert texts(printer.read(datum="a")) == ["ab1 one", "ab1 failed: no", "ab2 three"]
    first = printer.read(failed=True)
    assert texts(first) == ["ab1 one", "ab1 failed: no"]
    assert texts(printer.read(first.next, failed=True)) == []
    printer.print("ab", attempt=2, end="failed", reason="again")
    assert texts(printer.read(first.next, failed=True)) == ["ab2 three", "ab2 failed: again"]


def test_long_logs_come_in_parts_that_make_up_the_whole(printer: Printer) -> None:
    dice = random.Random(5)
    printed: dict[str, list[str]] = {f"d{number}": [] for number in range(4)}
    got: dict[str, list[str]] = {name: [] for name in printed}
    part, parts = printer.read(), 0
    for step in range(60):
        name = dice.choice([*printed])
        lines = [f"{step} {number} {'x' * dice.randrange(300)}" for number in range(dice.randrange(400))]
        printer.print(name, *lines)
        printed[name] += lines
        if dice.random() < 0.5:
            part, parts = printer.read(part.next), parts + 1
            for line in part.items:
                got[line.datum].append(line.text)
    while part.items or part.more:
        part, parts = printer.read(part.next), parts + 1
        for line in part.items:
            got[line.datum].append(line.text)
    assert got == printed
    assert parts > 20


def test_no_log_is_kept_waiting_by_one_that_never_stops(printer: Printer) -> None:
    printer.print("quiet")
    part = printer.read()
    seen: list[Line] = []
    for step in range(6):
        printer.print("loud", *("x" * 1000 for _ in range(500)))
        if step == 3:
            printer.print("quiet", "hello")
        part = printer.read(part.next)
        seen += part.items
    assert "hello" in {line.text for line in seen}


@pytest.mark.parametrize("place", ["x", "-1", "1.2", "7", "0.3:1", "0.0:5", "9" * 40, "0.1:0:0", "٣"])
def test_a_place_that_is_none_is_refused(printer: Printer, place: str) -> None:
    printer.print("a", "one")
    with pytest.raises(Invalid):
        printer.read(place)
