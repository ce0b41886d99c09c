"""Where a store is, as its URL says: its data in one place, its catalog beside them or in another."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

import msgspec
from blake3 import blake3
from platformdirs import user_data_path
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from jupyter_dvmount.store.errors import Invalid

from .blobs.s3.address import Address, parse_address

_CATALOG = "catalog.sqlite"
_POSTGRESQL = ("postgresql+psycopg", "postgresql")
_FORM = "write file:///absolute/path, with %23 for # and %3F for ?"
_CATALOG_FORM = "write catalog=sqlite:///absolute/path or catalog=postgresql+psycopg://user@host/database"
_LEAVE_IT_OUT = "leave it out: set PGPASSWORD, or make an entry in ~/.pgpass"


class Directory(msgspec.Struct, frozen=True):
    """Data in a directory."""

    path: Path

    def __str__(self) -> str:
        return str(self.path)


class SqliteFile(msgspec.Struct, frozen=True):
    """A catalog in a file."""

    path: Path

    @property
    def url(self) -> str:
        """The value of ``catalog=``."""
        return "sqlite://" + quote(str(self.path))


class Schema(msgspec.Struct, frozen=True):
    """A catalog in a schema of a PostgreSQL database; its ``server`` has no password."""

    server: URL

    @property
    def url(self) -> str:
        """The value of ``catalog=``."""
        return self.server.render_as_string()


class Place(msgspec.Struct, frozen=True):
    """Where a store is.

    Parameters
    ----------
    blobs
        Where the data are.
    catalog
        Where the catalog is.
    url
        The URL of both, without any secret.
    """

    blobs: Directory | Address
    catalog: SqliteFile | Schema
    url: str

    @property
    def is_joint(self) -> bool:
        """Whether the catalog is with the data, and so can be of no other store."""
        return isinstance(self.blobs, Directory) and self.catalog == SqliteFile(self.blobs.path / _CATALOG)


def parse_place(url: str) -> Place:
    """Parse the URL of a store.

    Parameters
    ----------
    url
        ``file:///path`` or ``s3://bucket/prefix``, with ``?catalog=`` and the URL of the catalog where that
        is not in the directory; that of data on S3 is by default a file of the user's on this machine.

    Raises
    ------
    Invalid
        If it is malformed; the message has no secret.
    """
    if url.startswith("s3://"):
        return _on_s3(url)
    parts = urlsplit(url)
    options = _options(parts.query, url)
    path = _absolute(parts.path)
    if parts.scheme != "file" or parts.netloc not in {"", "localhost"} or path is None or parts.fragment:
        raise _illegal(url, _FORM)
    wanted = options.pop("catalog", None)
    if options:  # or a directory's own ?, and not the directory that is left
        raise _illegal(url, _FORM)
    public = path.as_uri()
    if wanted is None:
        return Place(Directory(path), SqliteFile(path / _CATALOG), public)
    catalog = _catalog(wanted)
    return Place(Directory(path), catalog, f"{public}?{_catalog_option(catalog)}")


def _on_s3(url: str) -> Place:
    base, _, query = url.partition("?")
    parts = query.split("&") if query else []
    ours = "&".join(part for part in parts if part.startswith("catalog="))
    others = "&".join(part for part in parts if not part.startswith("catalog="))
    address = parse_address(f"{base}?{others}" if others else base)
    wanted = _options(ours, url).get("catalog")
    if wanted is None:
        return Place(address, SqliteFile(_own_catalog(address)), address.url)
    catalog = _catalog(wanted)
    joint = "&" if "?" in address.url else "?"
    return Place(address, catalog, f"{address.url}{joint}{_catalog_option(catalog)}")


def _own_catalog(address: Address) -> Path:
    """The file in which one person has the catalog of data on S3."""
    where = f"{address.endpoint}/{address.bucket}/{address.prefix}"
    name = f"{address.bucket}-{blake3(where.encode()).hexdigest(8)}.sqlite"
    return user_data_path("dvmount").absolute() / "catalogs" / name


def _catalog_option(catalog: SqliteFile | Schema) -> str:
    return f"catalog={quote(catalog.url, safe='/:@+=,-?')}"


def _options(query: str, url: str) -> dict[str, str]:
    """The options of a URL. A plus sign is one: ``postgresql+psycopg`` has it."""
    options: dict[str, str] = {}
    for part in query.split("&") if query else ():
        name, _, value = part.partition("=")
        if not value or name in options:
            raise _illegal(url, _FORM)
        options[name] = unquote(value)
    return options


def _catalog(url: str) -> SqliteFile | Schema:
    try:
        parts = urlsplit(url)
    except ValueError:
        raise Invalid("illegal URL of a catalog", fix=_CATALOG_FORM) from None
    if parts.scheme in _POSTGRESQL:
        return _schema(url)
    path = _absolute(parts.path)
    if parts.scheme == "sqlite" and path is not None and not (parts.netloc or parts.query or parts.fragment):
        return SqliteFile(path)
    raise Invalid("illegal URL of a catalog", fix=_CATALOG_FORM)


def _schema(url: str) -> Schema:
    try:
        server = make_url(url).set(drivername=_POSTGRESQL[0])
    except (ArgumentError, ValueError):
        raise Invalid("illegal URL of a catalog", fix=_CATALOG_FORM) from None
    if server.password is not None or any("password" in name for name in server.query):
        raise Invalid("the URL of a catalog with a password is refused", fix=_LEAVE_IT_OUT)
    return Schema(server)


def _absolute(text: str) -> Path | None:
    path = unquote(text)
    return Path("/" + path.lstrip("/")) if path.startswith("/") and "\0" not in path else None


def _illegal(url: str, fix: str) -> Invalid:
    """The error about a URL, of which neither user nor options are shown."""
    parts = urlsplit(url)
    public = parts._replace(
        netloc=parts.netloc.rpartition("@")[2],
        query="…" if parts.query else "",
        fragment="…" if parts.fragment else "",
    )
    return Invalid(f"illegal store URL {public.geturl()!r}", fix=fix)
