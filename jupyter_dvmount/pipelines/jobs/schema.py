"""Tables of the database of jobs.

They hold what cannot be found in the store: specs, jobs, datums, and where the results of datums are. A job's
output itself is in the store alone.
"""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Dialect,
    Float,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
)
from sqlalchemy.types import TypeDecorator

from jupyter_dvmount.pipelines.datums import Code
from jupyter_dvmount.pipelines.messages import Output
from jupyter_dvmount.pipelines.model import DatumInput
from jupyter_dvmount.pipelines.spec import PipelineSpec

from .records import JobInput, Tracked

VERSION = 1
"""Of these tables; a database of another version is refused."""
metadata = MetaData()


def now() -> datetime:
    """The time."""
    return datetime.now(timezone.utc)


class Moment(TypeDecorator[datetime]):
    """A time, in microseconds since 1970 UTC."""

    impl = BigInteger
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> int | None:
        """To the database."""
        return None if value is None else int(value.timestamp() * 1_000_000)

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From the database."""
        return None if value is None else datetime.fromtimestamp(value / 1_000_000, timezone.utc)


class Encoded(TypeDecorator[Any]):
    """A record as MessagePack.

    Parameters
    ----------
    kind
        Its type.
    """

    impl = LargeBinary
    cache_ok = True

    def __init__(self, kind: Any) -> None:
        super().__init__()
        self.kind = kind
        self._decoder = msgspec.msgpack.Decoder(kind)

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """To the database."""
        return None if value is None else msgspec.msgpack.encode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        """From the database."""
        return None if value is None else self._decoder.decode(value)


Number = BigInteger().with_variant(Integer(), "sqlite")  # only an INTEGER is a row id there
Text = String().with_variant(String(collation="C"), "postgresql")


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, default="", server_default="")


def _count(name: str) -> Column[int]:
    return Column(name, Number, nullable=False, default=0, server_default="0")


about = Table(
    "about",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("store", Text, nullable=False),
    Column("epoch", Number, nullable=False),
    Column("wishes", Number, nullable=False),
)

pipelines = Table(
    "pipelines",
    metadata,
    Column("name", Text, primary_key=True),
    Column("version", Number, nullable=False),
    Column("paused", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
)

versions = Table(
    "versions",
    metadata,
    Column("pipeline", Text, primary_key=True),
    Column("version", Number, primary_key=True),
    Column("spec", Encoded(PipelineSpec), nullable=False),
    Column("salt", Text, nullable=False),
    Column("created", Moment, nullable=False),
)

cursors = Table(
    "cursors",
    metadata,
    Column("pipeline", Text, primary_key=True),
    Column("repo", Text, primary_key=True),
    Column("branch", Text, primary_key=True),
    Column("commit_id", Text, nullable=False),
)

ticks = Table(
    "ticks",
    metadata,
    Column("pipeline", Text, primary_key=True),
    Column("input", Text, primary_key=True),
    Column("after", Moment, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    Column("num", Number, primary_key=True),
    Column("pipeline", Text, nullable=False),
    Column("id", Text, nullable=False),
    Column("version", Number, nullable=False),
    Column("state", Text, nullable=False),
    _text("reason"),
    _text("stop"),
    Column("anew", Boolean, nullable=False),
    Column("created", Moment, nullable=False),
    Column("started", Moment),
    Column("finished", Moment),
    Column("input", Encoded(tuple[JobInput, ...]), nullable=False),
    Column("code", Encoded(Code)),
    _text("output"),
    _text("tier"),
    _text("executor"),
    Column("tracking", Encoded(Tracked)),
    _count("total"),
    _count("success"),
    _count("skipped"),
    _count("failed"),
    _count("recovered"),
    UniqueConstraint("pipeline", "id"),
    Index("jobs_by_id", "id"),
    sqlite_autoincrement=True,
)
_is_open = jobs.c.finished.is_(None)
Index("jobs_open", jobs.c.num, sqlite_where=_is_open, postgresql_where=_is_open)

datums = Table(
    "datums",
    metadata,
    Column("job", Number, primary_key=True),
    Column("num", Number, primary_key=True),
    Column("id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("inputs", Encoded(tuple[DatumInput, ...]), nullable=False),
    Column("output", Encoded(Output)),
    _count("tries"),
    _count("attempts"),
    _text("failure"),
    _text("reason"),
    Column("exit_code", Number),
    Column("started", Moment),
    Column("finished", Moment),
    Column("seconds", Float, nullable=False, default=0.0, server_default="0"),
    Column("cpu_seconds", Float, nullable=False, default=0.0, server_default="0"),
    _count("memory"),
    UniqueConstraint("job", "id"),
    sqlite_with_rowid=False,
)
_is_waiting = datums.c.state == "starting"
Index("datums_waiting", datums.c.job, datums.c.num, sqlite_where=_is_waiting, postgresql_where=_is_waiting)

results = Table(
    "results",
    metadata,
    Column("pipeline", Text, primary_key=True),
    Column("datum", Text, primary_key=True),
    Column("output", Encoded(Output)),
    sqlite_with_rowid=False,
)
