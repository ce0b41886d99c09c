"""The end of a job: what its datums have written becomes one commit, and the job is over.

Everything here may be interrupted and done again: the output commit carries the job's id, it is written in
one block, and once it is finished nothing is written any more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress

from jupyter_dvmount.pipelines.datums.scratch import Scratch
from jupyter_dvmount.pipelines.jobs import history, work
from jupyter_dvmount.pipelines.jobs.database import Database
from jupyter_dvmount.pipelines.jobs.history import JobRow
from jupyter_dvmount.pipelines.jobs.specs import Version
from jupyter_dvmount.pipelines.jobs.work import Written
from jupyter_dvmount.pipelines.messages import Output
from jupyter_dvmount.store import (
    Commit,
    CommitFinished,
    CommitReader,
    CommitWriter,
    Invalid,
    NotFound,
    VersionStore,
)

from .preparing import open_output


def commit_output(
    store: VersionStore, database: Database, row: JobRow, version: Version, *, again: bool
) -> Commit:
    """Finish the output commit of a job with what its datums have written.

    Parameters
    ----------
    again
        Whether an earlier call may have been interrupted: then what it has written is thrown away.

    Raises
    ------
    Invalid
        If two datums have written one path, or the commit has an error already.
    StoreError
        If the store or the database cannot be used.
    """
    repo, id = version.spec.name, row.id
    commit = open_output(store, version, id, row.input)
    if commit.state != "finished" and again:
        store.drop_commit(repo, id)
        commit = open_output(store, version, id, row.input)
    if commit.error:  # an earlier controller had begun to end the job
        raise Invalid(commit.error)
    if commit.state == "finished":
        return commit
    with Scratch() as scratch:
        merge = _Merge(store, database, row, commit=commit, scratch=scratch)
        merge.collect()
        if merge.changes:
            with store.modify(repo, id) as writer:
                merge.write(writer)
    return store.finish_commit(repo, id)


def close_output(store: VersionStore, row: JobRow, error: str) -> None:
    """Finish the output commit of a job that has failed; nothing to do if it was never started."""
    with suppress(NotFound, CommitFinished):
        store.finish_commit(row.output or row.pipeline, row.id, error=error)


class _Merge:
    """The difference between the parent's tree and the output of a job."""

    def __init__(
        self, store: VersionStore, database: Database, row: JobRow, *, commit: Commit, scratch: Scratch
    ) -> None:
        self._database = database
        self._row = row
        self._manifests = _Manifests(store)
        self._parent = store.read(commit.repo, commit.parent) if commit.parent is not None else None
        self._base = self._job_of(commit.parent)
        self._scratch = scratch
        self._gone = scratch.table("path TEXT PRIMARY KEY")
        columns = "path TEXT PRIMARY KEY, datum TEXT, shown TEXT, repo TEXT, id TEXT, source TEXT"
        self._come = scratch.table(columns)
        self.changes = False

    def _job_of(self, commit: str | None) -> int | None:
        """The job whose output a commit is, so that only what differs from it has to be written."""
        if commit is None:
            return None
        with self._database.read() as connection:
            found = history.row_of(connection, self._row.pipeline, commit)
            if found is None or found.state != "success" or not work.is_kept(connection, found):
                return None
        return int(found.num)

    def collect(self) -> None:
        """Find what goes and what comes; `Invalid` if two datums have written one path."""
        for path in self._going():
            self.changes = True
            self._scratch.insert(self._gone, [(path,)])
        for each in work.written(self._database, self._row.num, without=self._base):
            self.changes = True
            output = each.output
            for path, source in self._manifests.of(output):
                self._check(path, each)
                row = (path, each.datum, _shown(each), output.repo, output.commit, source)
                self._scratch.insert(self._come, [row])

    def write(self, writer: CommitWriter) -> None:
        """Take away and copy; no bytes move."""
        gone = f"SELECT path FROM {self._gone} WHERE path NOT IN (SELECT path FROM {self._come})"  # noqa: S608
        for (path,) in self._scratch.query(gone):
            writer.delete(path)
        copies = f"SELECT repo, id, source, path FROM {self._come} ORDER BY rowid"  # noqa: S608
        for repo, id, source, path in self._scratch.query(copies):
            writer.copy(repo, id, source, path)

    def _going(self) -> Iterator[str]:
        """Files of the parent that do not stay: all, if it is not known which datum has written which."""
        if self._base is not None:
            for each in work.written(self._database, self._base, without=self._row.num):
                yield from (path for path, _ in self._manifests.of(each.output))
        elif self._parent is not None:
            yield from (each.path for each in self._parent.walk("/") if each.type == "file")

    def _check(self, path: str, written: Written) -> None:
        """Refuse a path that another datum has written, or has made a directory or a file above it."""
        above = [path[:end] for end in range(1, len(path)) if path[end] == "/"]
        for place in (path, *above):
            for datum, shown in self._query("datum, shown", "path = ?", place):
                raise _twice(path, place, written, datum, shown)
        within = (f"{path}/", f"{path}0")  # 0 comes after /
        for datum, shown, other in self._query("datum, shown, path", "path > ? AND path < ?", *within):
            raise _twice(path, other, written, datum, shown)
        for place in (path, *above):
            if self._stays(place, is_above=place != path):
                owner = self._owner(place)
                raise _twice(path, place, written, owner.datum, _shown(owner))

    def _stays(self, path: str, *, is_above: bool) -> bool:
        """Whether the parent has something at a path that stays; a directory above is no hindrance."""
        found = self._parent.lookup(path) if self._parent is not None else None
        if found is None or self._parent is None:
            return False
        if found.type == "file":
            return not self._goes(path)
        return not is_above and not all(
            each.type == "dir" or self._goes(each.path) for each in self._parent.walk(path)
        )

    def _query(self, columns: str, where: str, *arguments: str) -> Iterator[tuple[str, ...]]:
        statement = f"SELECT {columns} FROM {self._come} WHERE {where} LIMIT 1"  # noqa: S608
        return self._scratch.query(statement, arguments)

    def _goes(self, path: str) -> bool:
        return any(self._scratch.query(f"SELECT 1 FROM {self._gone} WHERE path = ?", (path,)))  # noqa: S608

    def _owner(self, place: str) -> Written:
        """The datum that has written a path, or below it, in the job before; looks at all of them."""
        assert self._base is not None
        return next(
            each
            for each in work.written(self._database, self._base)
            if any(f"{path}/".startswith(f"{place}/") for path, _ in self._manifests.of(each.output))
        )


class _Manifests:
    """Lists the files of outputs; neighbours share a commit."""

    def __init__(self, store: VersionStore) -> None:
        self._store = store
        self._reader: CommitReader | None = None
        self._of = ("", "")

    def of(self, output: Output) -> Iterable[tuple[str, str]]:
        """Files of an output, as (path in the job's output, path in the commit)."""
        if self._reader is None or self._of != (output.repo, output.commit):
            self._reader = self._store.read(output.repo, output.commit)
            self._of = output.repo, output.commit
        for info in self._reader.walk(output.path):
            if info.type == "file":
                yield info.path[len(output.path) :], info.path


def _shown(written: Written) -> str:
    return ", ".join(f"{each.name}:{each.path}" for each in written.inputs[:2])


def _twice(path: str, place: str, written: Written, datum: str, shown: str) -> Invalid:
    what = f"both write {path}" if place == path else f"write {path} and {place}"
    return Invalid(
        f"datums {written.datum[:12]} ({_shown(written)}) and {datum[:12]} ({shown}) {what}",
        fix="let each write to paths of its own, for example named after its input",
    )
