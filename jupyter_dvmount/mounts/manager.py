"""Mount, unmount, list, follow, restore: what every face of the product calls."""

from __future__ import annotations

import builtins
import logging
from contextlib import suppress
from pathlib import Path

from msgspec.structs import replace

from dvmount_fuse.layout import KnownStore, State
from jupyter_dvmount.config import Config
from jupyter_dvmount.store import (
    AlreadyExists,
    CommitReader,
    Denied,
    Invalid,
    NotFound,
    Progress,
    StoreError,
    Unavailable,
    VersionStore,
)
from jupyter_dvmount.store.uri import check_name

from . import links
from .checkout import Checkouts
from .holders import holders
from .model import Check, Mount, MountMode, Unmounted
from .records import Record, Records
from .service import FuseRefused, Service
from .support import check, choose_mode, wanted_mode
from .view import describe

log = logging.getLogger("jupyter_dvmount.mounts")


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
        self._state = State(config.state.absolute())
        self._records = Records(self._state)
        self._service = Service(self._state)
        self._checkouts = Checkouts(self._state)

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
        wanted = self._wanted(reader, branch, name, directory, follow)
        self._prepare(directory)
        existing = self._existing(wanted)
        if existing is not None:
            wanted = replace(wanted, replaced=existing.replaced)
        else:
            links.check_place(Path(wanted.path))
        mode, target = self._provide(reader, progress)
        wanted = replace(wanted, mode=mode, target=str(target))
        with self._records.lock():
            self._put(wanted)
        if follow:
            self._service.supervise()
        return self._view(wanted, "")

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
            shared = any(other.target == record.target for other in self._records.all())
            held = () if shared else holders(Path(record.target))
            if record.mode == "checkout" and not shared:
                self._checkouts.remove(Path(record.target))
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
        moved = self._move(replace(record, follow=following, branch=branch), reader, progress)
        if following:
            self._service.supervise()
        return self._view(moved, "")

    def restore(self) -> builtins.list[Mount]:
        """Make every mount work again after a restart of the machine, the server or the daemon."""
        records = self._records.all()
        if records:
            self._state.prepare()
            self._checkouts.clear_leftovers()
        trouble = self._bring_up(records)
        restored = []
        for record in records:
            try:
                links.swap(Path(record.path), Path(record.target), self._state)
            except StoreError as error:
                log.warning("the link of mount %s cannot be restored: %s", record.name, error.message)
            restored.append(self._view(record, trouble))
        return restored

    def advance(self) -> int:
        """Move the mounts that follow a branch to its head; returns how many. For the supervisor."""
        moved = 0
        for record in self._records.all():
            if not record.follow or record.store != self._store.id:
                continue
            try:
                head = self._store.inspect_branch(record.repo, record.branch).head
                if head is not None and head != record.commit:
                    self._move(record, self._store.read(record.repo, head), None)
                    moved += 1
            except StoreError as error:
                log.warning("mount %s cannot follow %s: %s", record.name, record.branch, error.message)
        return moved

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

    def _wanted(
        self, reader: CommitReader, branch: str, name: str | None, directory: Path | None, follow: bool
    ) -> Record:
        repo = reader.commit.repo
        if directory is not None and not directory.is_absolute():
            raise Invalid(f"{directory} is not an absolute path", fix=f"use {directory.absolute()}")
        name = check_name(name or repo.rpartition("/")[2], "mount")
        path = Path(self._config.root.absolute() / name) if directory is None else directory
        return Record(
            name=name,
            path=str(path),
            target=str(self._state.fuse_target(self._store.id, repo, reader.commit.id)),
            store=self._store.id,
            url=self._store.url,
            repo=repo,
            branch=branch,
            commit=reader.commit.id,
            follow=follow,
        )

    def _check_own(self, record: Record) -> None:
        if record.store != self._store.id:
            raise Invalid(
                f"{record.name} is a mount of another store: {record.url}", fix="open that store first"
            )

    # where it goes

    def _prepare(self, directory: Path | None) -> None:
        state, root = self._state.path, self._config.root.absolute()
        place = root if directory is None else directory
        if place == state or state in place.parents or place in state.parents:
            raise Invalid(
                f"mounts at {place} and their state at {state} would be inside each other",
                fix="set DVMOUNT_ROOT and DVMOUNT_STATE to two separate directories",
            )
        self._state.prepare()
        if directory is None:
            try:
                root.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                kind = Denied if isinstance(error, PermissionError) else Unavailable
                raise kind(
                    f"cannot make the mount root {root}: {error.strerror}",
                    fix="set DVMOUNT_ROOT to a directory that you can write to",
                ) from error
        self._state.remember(KnownStore(id=self._store.id, url=self._store.url))

    def _existing(self, wanted: Record) -> Record | None:
        """The record that is exactly what is wanted; `AlreadyExists` if the name or place has another use."""
        for record in self._records.all():
            if record.name != wanted.name and record.path != wanted.path:
                continue
            same = ("name", "path", "store", "repo", "branch", "commit", "follow")
            if all(getattr(record, key) == getattr(wanted, key) for key in same):
                return record
            what = f"{record.repo}@{record.branch or record.commit[:12]}"
            raise AlreadyExists(
                f"{record.path} is {what} mounted as {record.name!r}",
                fix=f"choose another name, such as {self._free_name(wanted)!r}, or unmount {record.name!r}",
            )
        return None

    def _free_name(self, wanted: Record) -> str:
        taken = {record.name for record in self._records.all()}
        ending = wanted.branch or wanted.commit[:8]
        names = [f"{wanted.name}-{ending}", *(f"{wanted.name}-{number}" for number in range(2, 1000))]
        return next(name for name in names if name not in taken)

    def _provide(self, reader: CommitReader, progress: Progress | None) -> tuple[MountMode, Path]:
        """Have the commit readable somewhere below the state directory."""
        commit = reader.commit
        if choose_mode() == "fuse":
            try:
                return "fuse", self._service.show(self._store.id, commit.repo, commit.id)
            except FuseRefused as error:
                if wanted_mode() == "fuse":
                    raise
                log.warning("%s; copying files instead", error.message)
        return "checkout", self._checkouts.materialise(self._store.id, reader, progress)

    def _put(self, wanted: Record) -> None:
        """Record first, link second: a crash between the two is mended by `restore`."""
        link = Path(wanted.path)
        if self._existing(wanted) is not None:
            links.swap(link, Path(wanted.target), self._state)
            self._records.save(wanted)
            return
        self._records.save(wanted)
        try:
            if links.create(link, Path(wanted.target)):
                self._records.save(replace(wanted, replaced=True))
        except BaseException:
            self._records.delete(wanted.name)
            raise

    def _move(self, wanted: Record, reader: CommitReader, progress: Progress | None) -> Record:
        """Let a mount show another commit, or follow from now on."""
        mode, target = self._provide(reader, progress)
        wanted = replace(wanted, commit=reader.commit.id, mode=mode, target=str(target))
        with self._records.lock():
            before = self._records.get(wanted.name)  # it may have been unmounted meanwhile
            links.swap(Path(wanted.path), target, self._state)
            self._records.save(wanted)
            if before.mode == "checkout" and not any(
                other.target == before.target for other in self._records.all()
            ):
                self._checkouts.remove(Path(before.target))
        return wanted

    # how it is

    def _view(self, record: Record, trouble: str) -> Mount:
        return describe(record, self._store, self._state, trouble)

    def _trouble(self, records: builtins.list[Record]) -> str:
        """Why FUSE mounts cannot be read, after seeing to it that the supervisor is there."""
        if any(record.mode == "fuse" or record.follow for record in records):
            self._service.supervise()
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
