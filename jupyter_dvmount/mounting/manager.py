"""Mount, unmount, list, follow, restore: what every face of the product calls."""

from __future__ import annotations

import builtins
import logging
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from dvmount_fuse.layout import KnownStore, State
from jupyter_dvmount.config import Config
from jupyter_dvmount.store import (
    CommitReader,
    Conflict,
    Invalid,
    NotFound,
    Progress,
    StoreError,
    Unavailable,
    VersionStore,
)

from . import links, places
from .checkout import Checkouts, discard
from .holders import holders
from .model import Check, Holder, Mount, MountMode, Unmounted
from .records import Record, Records
from .service import FuseRefused, Service
from .support import check, choose_mode, wanted_mode
from .view import describe

log = logging.getLogger("jupyter_dvmount.mounting")

_ATTEMPTS = 3


class MountManager:
    """The mounts of one user. Thread-safe, and several processes may use the same state directory at once.

    Parameters
    ----------
    config
        Where mounts appear (`Config.root`) and where their state is kept (`Config.state`).
    store
        What new mounts are made from; mounts of other stores are listed and unmounted too.
    """

    def __init__(self, config: Config, store: VersionStore) -> None:
        self._config = config
        self._store = store
        self._state = State(config.state.resolve())  # /proc names files of readers by their real path
        self._records = Records(self._state)
        self._service = Service(self._state)
        self._checkouts = Checkouts(self._state)

    def expect(self) -> None:
        """Begin to start what `mount` needs; that tells what is wrong. For who has more to do before."""
        with suppress(StoreError):
            places.check_apart(self._config.root.resolve(), self._state)
            if choose_mode() == "fuse":
                self._state.prepare()
                self._service.expect()

    def mount(
        self,
        repo: str,
        ref: str,
        *,
        name: str | None = None,
        directory: Path | None = None,
        follow: bool = False,
        progress: Progress | None = None,
    ) -> Mount:
        """Give a commit a local path.

        Parameters
        ----------
        repo, ref
            What to mount: a branch means its head now.
        name
            Name of the mount; the last part of the repository's name if not given.
        directory
            Absolute path of the link, instead of the name below the mount root. An empty directory there
            gives way to the link and is put back by `unmount`.
        follow
            Move to the branch's new head whenever there is one.
        progress
            Told (files, bytes) copied where files have to be copied; may raise to cancel.

        Returns
        -------
        Mount
            The new mount, or the existing one if exactly this is mounted under the name already.

        Raises
        ------
        AlreadyExists
            If the name or the place is taken.
        StoreError
            If the commit cannot be read or mounted; nothing has changed then.
        """
        reader, branch = self._read(repo, ref, follow)
        records = self._records.all()
        name = places.choose_name(repo, name, directory, records)
        path = places.choose_place(self._config.root, name, directory)
        places.check_apart(path if directory is not None else path.parent.resolve(), self._state)
        wanted = self._record(reader, branch, name, path, follow)
        self._state.prepare()
        if directory is None:
            places.make_root(path.parent)
        if places.existing(wanted, records) is None and not links.is_ours(path, self._state):
            links.check_place(path)  # before anything is copied
        return self._settle(wanted, reader, progress, lambda: places.existing(wanted, self._records.all()))

    def unmount(self, name: str) -> Unmounted:
        """Take a mount away; whoever has its files open goes on reading them.

        Parameters
        ----------
        name
            Name of the mount, or the absolute path of its link.
        """
        with self._records.lock():
            record = self._records.get(name)
            if not links.remove(Path(record.path), self._state, replaced=record.replaced):
                log.warning("%s is not a link of dvmount any more and is left alone", record.path)
            self._records.delete(record.name)
            held = self._holders(record)
            doomed = self._retire(record)
        discard(doomed)
        return Unmounted(name=record.name, holders=held)

    def unmount_all(self) -> list[Unmounted]:
        """Take every mount away."""
        done = []
        for record in self._records.all():
            with suppress(NotFound):  # somebody else may unmount at the same time
                done.append(self.unmount(record.name))
        return done

    def list(self) -> builtins.list[Mount]:
        """Every mount, by name; never hangs on a dead daemon, and gets it restarted."""
        records = self._records.all()
        trouble = self._trouble(records)
        return [self._view(record, trouble) for record in records]

    def inspect(self, name: str) -> Mount:
        """One mount, by its name or absolute path."""
        record = self._records.get(name)
        return self._view(record, self._trouble([record]))

    def update(
        self,
        name: str,
        *,
        follow: bool | None = None,
        ref: str | None = None,
        progress: Progress | None = None,
    ) -> Mount:
        """Move a mount to another commit of its repository, or change whether it follows its branch.

        Parameters
        ----------
        name
            Name of the mount, or the absolute path of its link.
        follow
            New value, or None to leave it. A mount that begins to follow moves to the head at once.
        ref
            What to mount instead; the mount's own branch moves it to the head.
        progress
            As in `mount`.
        """
        record = self._records.get(name)
        self._check_own(record)
        following = record.follow if follow is None else follow
        if ref is None and follow and not record.branch:
            raise Invalid(
                f"{record.name} is a mount of a commit, not of a branch", fix="name a branch to follow"
            )
        if ref is None:
            ref = record.branch if follow else record.commit
        reader, branch = self._read(record.repo, ref, follow=bool(follow))
        if ref == record.commit:
            branch = record.branch
        elif not branch:
            following = False  # a commit named by its id stays where it is
        wanted = replace(record, follow=following, branch=branch, commit=reader.commit.id)
        return self._settle(wanted, reader, progress, lambda: self._unchanged(record))

    def restore(self) -> builtins.list[Mount]:
        """Make every mount work again after a restart of the machine, the server or the daemon."""
        records = self._records.all()
        if records:
            self._state.prepare()
            self._clear()
        trouble = self._bring_up(records)
        restored = []
        for record in records:
            self._restore_link(record)
            restored.append(self._view(record, trouble))
        return restored

    def advance(self) -> bool:
        """Move the mounts that follow a branch to its head. For the supervisor.

        Returns
        -------
        bool
            Whether all are where they should be; otherwise it is worth another try.
        """
        followers = [r for r in self._records.all() if r.follow and r.store == self._store.id]
        settled = [self._advance(record) for record in followers]  # each, whatever becomes of the others
        return all(settled)

    def look_after(self) -> None:
        """Have daemon and supervisor back if both were killed at once; microseconds where all is well."""
        self._service.look_after()

    def probe(self) -> builtins.list[Check]:
        """How mounting works here."""
        return [check()]

    def stop(self) -> None:
        """End the daemon and its supervisor; the next call that needs them starts them again."""
        self._service.stop()

    # what to mount

    def _read(self, repo: str, ref: str, follow: bool) -> tuple[CommitReader, str]:
        """A reader, and the branch that ``ref`` is or nothing."""
        reader = self._store.read(repo, ref)
        try:
            branch = self._store.inspect_branch(repo, ref).name
        except (NotFound, Invalid):
            branch = ""
        if follow and not branch:
            raise Invalid(
                f"{ref!r} is not a branch, so it cannot be followed", fix="name a branch of the repository"
            )
        return reader, branch

    def _record(self, reader: CommitReader, branch: str, name: str, path: Path, follow: bool) -> Record:
        commit = reader.commit
        return Record(
            name=name,
            path=str(path),
            target=str(self._state.fuse_target(self._store.id, commit.repo, commit.id)),
            store=self._store.id,
            url=self._store.url,
            repo=commit.repo,
            branch=branch,
            commit=commit.id,
            follow=follow,
        )

    def _check_own(self, record: Record) -> None:
        if record.store != self._store.id:
            raise Invalid(
                f"{record.name} is a mount of another store: {record.url}", fix="open that store first"
            )

    # how it gets there

    def _provide(self, reader: CommitReader, progress: Progress | None) -> tuple[MountMode, Path]:
        """Have the commit readable somewhere below the state directory."""
        commit = reader.commit
        self._state.remember(KnownStore(id=self._store.id, url=self._store.url))
        if choose_mode() == "fuse":
            reader.prefetch(progress)  # so that `ls` and `stat` never wait for what is elsewhere
            try:
                return "fuse", self._service.show(self._store.id, commit.repo, commit.id)
            except FuseRefused as error:
                if wanted_mode() == "fuse":
                    raise
                log.warning("%s; copying files instead", error.message)
        return "checkout", self._checkouts.materialise(self._store.id, reader, self._store.read, progress)

    def _settle(
        self,
        wanted: Record,
        reader: CommitReader,
        progress: Progress | None,
        before: Callable[[], Record | None],
    ) -> Mount:
        """Have the commit readable, then write the record and point the link at it.

        ``before`` is asked under the lock what the mount is now; it raises if that forbids the change.
        """
        for _ in range(_ATTEMPTS):
            mode, target = self._provide(reader, progress)
            wanted = replace(wanted, mode=mode, target=str(target))
            with self._records.lock():
                if mode == "checkout" and not target.is_dir():
                    continue  # the last other mount of the commit has gone meanwhile, and the files with it
                try:
                    wanted, doomed = self._install(wanted, before())
                except StoreError:
                    discard(self._retire(wanted))  # copied for nothing
                    raise
            discard(doomed)
            if wanted.follow:
                self._service.supervise()
            return self._view(wanted, "")
        raise Unavailable(f"{wanted.name} is mounted and unmounted at the same time", fix="try again")

    def _install(self, wanted: Record, before: Record | None) -> tuple[Record, Path | None]:
        """Under the lock. For a new name the record comes first: `restore` mends a crash before the link."""
        link, target = Path(wanted.path), Path(wanted.target)
        if before is not None or links.is_ours(link, self._state):
            wanted = replace(wanted, replaced=before is not None and before.replaced)
            links.swap(link, target, self._state)
            self._records.save(wanted)
            return wanted, None if before is None else self._retire(before)
        self._records.save(wanted)
        try:
            if links.create(link, target):
                wanted = replace(wanted, replaced=True)
                self._records.save(wanted)
        except BaseException:
            self._records.delete(wanted.name)
            raise
        return wanted, None

    def _restore_link(self, record: Record) -> None:
        try:
            with self._records.lock():
                if self._records.find(record.name) == record:  # not unmounted or moved meanwhile
                    links.swap(Path(record.path), Path(record.target), self._state)
        except StoreError as error:
            log.warning("the link of mount %s cannot be restored: %s", record.name, error.message)

    def _unchanged(self, record: Record) -> Record:
        """The record, if it still is what a change was decided on."""
        if self._records.find(record.name) != record:
            raise Conflict(f"mount {record.name} has been changed or unmounted meanwhile", fix="try again")
        return record

    def _advance(self, record: Record) -> bool:
        try:
            head = self._store.inspect_branch(record.repo, record.branch).head
            if head is not None and head != record.commit:
                reader = self._store.read(record.repo, head)
                self._settle(replace(record, commit=head), reader, None, lambda: self._unchanged(record))
                log.info("mount %s has followed %s to %s", record.name, record.branch, head)
        except NotFound as error:  # the branch is gone: nothing to follow
            log.debug("mount %s: %s", record.name, error.message)
        except StoreError as error:
            log.warning("mount %s cannot follow %s: %s", record.name, record.branch, error.message)
            return False
        return True

    def _holders(self, record: Record) -> tuple[Holder, ...]:
        """Who reads on after the unmount; unknown where other mounts share the files or the daemon hangs."""
        if any(other.target == record.target for other in self._records.all()):
            return ()
        if record.mode == "fuse" and self._service.trouble():
            return ()  # looking into a process that waits for the daemon may take as long
        return holders(Path(record.target))

    def _retire(self, record: Record) -> Path | None:
        """Under the lock: take the files of a checkout out of use if no mount has them."""
        if record.mode != "checkout" or any(other.target == record.target for other in self._records.all()):
            return None
        return self._checkouts.retire(Path(record.target))

    def _clear(self) -> None:
        with self._records.lock():
            doomed = [
                self._checkouts.retire(path)
                for path in self._checkouts.unused(record.target for record in self._records.all())
            ]
        for path in doomed:
            discard(path)

    # how it is

    def _view(self, record: Record, trouble: str) -> Mount:
        return describe(record, self._store, self._state, trouble)

    def _trouble(self, records: builtins.list[Record]) -> str:
        """Why FUSE mounts cannot be read, after seeing to it that the supervisor is there."""
        try:
            if any(record.mode == "fuse" or record.follow for record in records):
                self._service.supervise()
        except StoreError as error:
            return error.message
        return self._service.trouble() if any(record.mode == "fuse" for record in records) else ""

    def _bring_up(self, records: builtins.list[Record]) -> str:
        try:
            if any(record.mode == "fuse" for record in records):
                self._service.start()
            elif any(record.follow for record in records):
                self._service.supervise()
        except StoreError as error:
            return error.message
        return ""
