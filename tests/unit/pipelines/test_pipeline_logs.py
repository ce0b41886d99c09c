import base64
import itertools
import json
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jupyter_dvmount.pipelines.logs import LINE, LogKey, LogLine, LogStore, Recorder
from jupyter_dvmount.pipelines.scrub import Scrubber
from jupyter_dvmount.store import Invalid, NotFound

SECRET = b'local-0123"456789/abc+def'
KEY = LogKey("job1", "d" * 64, 1)


def scrub(values: list[bytes], parts: list[bytes]) -> bytes:
    scrubber = Scrubber(values)
    return b"".join([*map(scrubber.feed, parts), scrubber.finish()])


@given(st.lists(st.integers(0, 80), max_size=6), st.sampled_from([SECRET, SECRET * 8]))
def test_a_value_is_replaced_wherever_the_stream_is_cut(cuts: list[int], secret: bytes) -> None:
    text = b"before " + secret + b" after " + secret[:10]
    points = sorted({min(cut, len(text)) for cut in cuts} | {0, len(text)})
    parts = [text[a:b] for a, b in itertools.pairwise(points)]
    shown = scrub([secret], parts)
    assert secret[:12] not in shown
    assert shown.startswith(b"before ***")
    assert shown.endswith(b" after " + secret[:10])


@given(st.binary(max_size=50), st.lists(st.binary(min_size=1, max_size=3), min_size=1, max_size=4))
def test_no_value_is_left_in_any_text(text: bytes, values: list[bytes]) -> None:
    values = [value for value in values if b"*" not in value and value.strip() == value]
    shown = scrub(values, [text[i : i + 1] for i in range(len(text))])
    if values:
        assert all(value not in piece for value in values for piece in shown.split(b"***"))


@pytest.mark.parametrize("before", [b"", b"a", b"ab", b"user:"])
@pytest.mark.parametrize("after", [b"", b"z", b"\n"])
def test_base64_of_a_value_is_replaced_whatever_stands_around_it(before: bytes, after: bytes) -> None:
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        shown = scrub([SECRET], [b"Authorization: Basic ", encode(before + SECRET + after)])
        assert b"***" in shown
        assert encode(SECRET)[4:16] not in shown
        assert len(shown) < len(b"Authorization: Basic ") + 24


def test_other_ways_of_writing_a_value_are_replaced() -> None:
    text = json.dumps({"key": SECRET.decode()}) + " ?key=" + quote(SECRET, safe="") + " " + quote(SECRET)
    assert b"0123" not in scrub([SECRET], [text.encode()])


def test_every_line_of_a_value_of_many_lines_is_replaced() -> None:
    key = b"-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n"
    shown = scrub([key], [b"error in line hkiG9w0BAQEFAASC of\n", key])
    assert b"MIIE" not in shown
    assert b"hkiG" not in shown


def test_nothing_is_held_back_that_cannot_become_a_value() -> None:
    assert Scrubber([SECRET]).feed(b"epoch 3: loss 0.1\n") == b"epoch 3: loss 0.1\n"


def test_a_line_is_whole_however_it_was_printed() -> None:
    recorder = Recorder()
    lines = [line for part in (b"one", b"\ntw", b"o\n\nthr", b"ee") for line in recorder.feed(part)]
    assert [line.text for line in [*lines, *recorder.finish()]] == ["one", "two", "", "three"]


def test_of_a_progress_bar_only_its_end_is_kept() -> None:
    recorder = Recorder()
    assert [line.text for line in recorder.feed(b"10%\r50%\r100%\ndos\r\n")] == ["100%", "dos"]


def test_output_without_an_end_takes_bounded_memory_and_is_counted() -> None:
    recorder = Recorder(cap=100_000)
    kept = [line for _ in range(50) for line in recorder.feed(b"x" * 65536)]
    kept += recorder.finish()
    assert sum(len(line.text) for line in kept if not line.engine) == 100_000
    assert max(len(line.text) for line in kept) <= LINE
    assert kept[-1].text.startswith(str(50 * 65536 - 100_000))


def test_short_lines_take_no_more_room_than_long_ones(tmp_path: Path) -> None:
    recorder, logs = Recorder(cap=100_000), LogStore(tmp_path / "logs")
    for _ in range(20):
        logs.append(KEY, recorder.feed(b"y\n" * 2_000))
    logs.append(KEY, recorder.finish())
    (file,) = (tmp_path / "logs").rglob("*.jsonl")
    assert file.stat().st_size < 2 * 100_000
    assert b"more bytes were printed and not kept" in file.read_bytes()


def test_a_log_is_read_on_where_the_reader_has_stopped(tmp_path: Path) -> None:
    logs = LogStore(tmp_path / "logs")
    logs.append(KEY, [LogLine(time=1.0, text="one")])
    page = logs.read(KEY)
    logs.append(KEY, [LogLine(time=2.0, text="two"), LogLine(time=3.0, text="", end="success")])
    assert [line.text for line in page.lines] == ["one"]
    rest = logs.read(KEY, page.offset)
    assert [line.text for line in rest.lines] == ["two", ""]
    assert (page.ended, rest.ended) == (False, True)
    with pytest.raises(Invalid):
        logs.read(KEY, 3)


def test_a_line_that_is_being_written_is_not_read_yet(tmp_path: Path) -> None:
    logs = LogStore(tmp_path)
    logs.append(KEY, [LogLine(time=1.0, text="one")])
    with next((tmp_path / "job1").iterdir()).open("ab") as file:
        file.write(b'{"time":2.0,"te')
    assert [line.text for line in logs.read(KEY).lines] == ["one"]


def test_logs_are_listed_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    logs = LogStore(tmp_path)
    for datum, attempt in (("b", 1), ("a", 1), ("b", 1), ("b", 2)):
        logs.append(LogKey("job1", datum, attempt), [LogLine(time=0.0, text="x")])
    found = [*logs.begun("job1")]
    assert [(each.key.datum, each.key.attempt) for each in found] == [("b", 1), ("a", 1), ("b", 2)]
    assert [*logs.begun("job1", found[0].next)] == found[1:]
    with pytest.raises(Invalid):
        next(logs.begun("job1", 3))
    logs.delete("job1")
    assert [*logs.begun("job1")] == []
    with pytest.raises(NotFound):
        logs.read(KEY)


def test_an_entry_that_a_full_disk_has_cut_short_spoils_no_other(tmp_path: Path) -> None:
    logs = LogStore(tmp_path)
    logs.append(KEY, [])
    with (tmp_path / "job1" / "order").open("ab") as file:
        file.write(b"\nabc-00")
    logs.append(LogKey("job1", "later", 1), [])
    assert [each.key.datum for each in logs.begun("job1")] == [KEY.datum, "later"]


@pytest.mark.parametrize("key", [LogKey("..", "x", 1), LogKey("a/b", "x", 1), LogKey("job1", "../x", 1)])
def test_a_log_lies_nowhere_else(tmp_path: Path, key: LogKey) -> None:
    with pytest.raises(NotFound):
        LogStore(tmp_path).append(key, [])
