"""Transactions on projects and the repos in them."""

from __future__ import annotations

from typing import get_args

from sqlalchemy import Connection, and_, delete, func, insert, or_, select

from jupyter_dvmount.store.embedded.catalog.schema import branches, commits, now, projects, repos, to_time
from jupyter_dvmount.store.errors import AlreadyExists, Conflict, Invalid, NotFound
from jupyter_dvmount.store.model import DEFAULT_PROJECT, Project, RepoType
from jupyter_dvmount.store.uri import check_project, check_repo, project_of

from . import feed, provenance
from .refs import AnyRow, repo_row

_is_within = or_(
    and_(projects.c.name == DEFAULT_PROJECT, repos.c.name.not_like("%/%")),
    and_(repos.c.name > projects.c.name + "/", repos.c.name < projects.c.name + "0"),  # 0 comes after /
)
_count = select(func.count()).select_from(repos).where(_is_within).correlate(projects).scalar_subquery()


def records(connection: Connection) -> list[Project]:
    """The projects by name. The default one is there before it has a repo, since the first of all."""
    rows = connection.execute(select(projects, _count.label("repos"))).all()
    found = {
        row.name: Project(
            name=row.name, description=row.description, created=to_time(row.created), repos=row.repos
        )
        for row in rows
    }
    if DEFAULT_PROJECT not in found:
        created = min((row.created for row in rows), default=0)
        found[DEFAULT_PROJECT] = Project(name=DEFAULT_PROJECT, created=to_time(created))
    return [found[name] for name in sorted(found)]


def record(connection: Connection, name: str) -> Project:
    """One project, or `NotFound`."""
    check_project(name)
    found = next((each for each in records(connection) if each.name == name), None)
    if found is None:
        raise NotFound(f"no project {name!r}", fix="list the projects, or create it")
    return found


def create(connection: Connection, name: str, description: str) -> Project:
    """Make a project."""
    check_project(name)
    if name == DEFAULT_PROJECT or _exists(connection, name):
        raise AlreadyExists(f"project {name!r} exists already", fix="choose another name")
    _insert(connection, name, description)
    return record(connection, name)


def remove(connection: Connection, name: str) -> None:
    """Remove a project without repos."""
    held = record(connection, name)
    if name == DEFAULT_PROJECT:
        raise Invalid(f"project {name!r} cannot be deleted", fix="delete its repos one by one")
    if held.repos:
        raise Conflict(f"project {name!r} has {held.repos} repos", fix="delete them first")
    connection.execute(delete(projects).where(projects.c.name == name))
    feed.tell(connection, "project", "deleted", name)


def create_repo(connection: Connection, name: str, description: str, type_: RepoType) -> AnyRow:
    """Make a repo, and its project if it is the first one there."""
    name = check_repo(name)
    if type_ not in get_args(RepoType):
        raise Invalid(f"illegal repo type {type_!r}", fix="use user, spec or meta")
    if connection.execute(select(repos.c.num).where(repos.c.name == name)).one_or_none() is not None:
        raise AlreadyExists(f"repo {name!r} exists already", fix="choose another name")
    if not _exists(connection, project_of(name)):
        _insert(connection, project_of(name), "")
    connection.execute(insert(repos).values(name=name, type=type_, description=description, created=now()))
    feed.tell(connection, "repo", "created", name)
    return repo_row(connection, name)


def remove_repo(connection: Connection, name: str, *, force: bool) -> None:
    """Remove a repo with its branches and commits."""
    repo = repo_row(connection, name)
    used = connection.execute(select(commits.c.num).where(commits.c.repo == repo.num).limit(1)).one_or_none()
    if used is not None and not force:
        dependents = provenance.dependents_of_repo(connection, repo.num)
        also = f", and they are provenance of {dependents}" if dependents else ""
        raise Conflict(f"repo {repo.name!r} has commits{also}", fix="force the deletion if they may be lost")
    provenance.unlink(connection, commits.c.repo == repo.num)
    connection.execute(delete(commits).where(commits.c.repo == repo.num))
    connection.execute(delete(branches).where(branches.c.repo == repo.num))
    connection.execute(delete(repos).where(repos.c.num == repo.num))
    feed.tell(connection, "repo", "deleted", repo.name)


def _exists(connection: Connection, name: str) -> bool:
    return connection.execute(select(projects.c.name).where(projects.c.name == name)).first() is not None


def _insert(connection: Connection, name: str, description: str) -> None:
    connection.execute(insert(projects).values(name=name, description=description, created=now()))
    feed.tell(connection, "project", "created", name)
