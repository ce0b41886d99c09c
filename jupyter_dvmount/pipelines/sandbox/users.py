"""Users as specs name them."""

from __future__ import annotations

import os
import pwd

from jupyter_dvmount.store import Denied, Invalid

from .plan import Identity


def identity_of(user: str) -> Identity | None:
    """Whom ``user``, a name or ``uid[:gid]``, means on this machine; None for who runs this already.

    Raises
    ------
    Invalid
        If there is no such user.
    Denied
        If this process may not become it.
    """
    if not user:
        return None
    wanted = _numbered(user) or _named(user)
    if wanted.uid == os.geteuid() and wanted.gid == os.getegid():
        return None
    if os.geteuid() != 0:
        raise Denied(
            f"only root can run code as user {user!r}", fix="leave out transform.user, or give an image"
        )
    return wanted


def _numbered(user: str) -> Identity | None:
    uid, _, gid = user.partition(":")
    if not uid.isascii() or not uid.isdigit() or not (gid or "0").isdigit():
        return None
    return Identity(int(uid), int(gid or uid))


def _named(user: str) -> Identity:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise Invalid(f"there is no user {user!r} here", fix="name one of /etc/passwd, or uid:gid") from None
    return Identity(entry.pw_uid, entry.pw_gid, tuple(os.getgrouplist(user, entry.pw_gid)))
