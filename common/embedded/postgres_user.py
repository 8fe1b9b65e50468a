"""As which user PostgreSQL runs: it refuses to be root, so root lends it an unprivileged one."""

import os
import pwd
import stat
from pathlib import Path

from common.embedded.errors import EmbeddedServerError
from common.embedded.process import Identity

_ADVICE = "run as an ordinary user, or set DATABASE_URL to use a PostgreSQL of your own."


def postgres_identity(folder: Path, binaries: Path) -> Identity | None:
    """The user for the files in `folder`, which is handed over to it; None when this user can do it.

    Raises EmbeddedServerError when the folder belongs to somebody else or nobody else can be found.
    """
    owner = folder.stat().st_uid
    if os.geteuid() != 0:
        if owner != os.geteuid():
            raise EmbeddedServerError(f"{folder} belongs to user {owner}: start as that user, or set DATABASE_URL.")
        return None
    # The owner of an existing cluster stays its owner, also when root takes the checkout over from a user.
    account = _unprivileged_account() if owner == 0 else _account(owner)
    try:
        os.chown(folder, account.pw_uid, account.pw_gid)
    except OSError as error:
        raise EmbeddedServerError(
            f"PostgreSQL cannot run as root, and {folder} cannot be given to {account.pw_name} "
            f"({error.strerror}): {_ADVICE}"
        ) from error
    closed = not (_is_reachable(folder, account) and _is_reachable(binaries, account))
    return Identity(uid=account.pw_uid, gid=account.pw_gid, reach=closed)


def _unprivileged_account() -> pwd.struct_passwd:
    try:
        return pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedServerError(f"PostgreSQL cannot run as root, and there is no user `nobody`: {_ADVICE}") from error


def _account(uid: int) -> pwd.struct_passwd:
    try:
        return pwd.getpwuid(uid)
    except KeyError as error:
        raise EmbeddedServerError(f"The files of PostgreSQL belong to user {uid}, who is unknown: {_ADVICE}") from error


def _is_reachable(path: Path, account: pwd.struct_passwd) -> bool:
    """True when the account may walk through every folder above `path` by the plain permission bits."""
    return all(_may_enter(folder.stat(), account) for folder in path.resolve().parents)


def _may_enter(found: os.stat_result, account: pwd.struct_passwd) -> bool:
    if found.st_uid == account.pw_uid:
        return bool(found.st_mode & stat.S_IXUSR)
    if found.st_gid == account.pw_gid:
        return bool(found.st_mode & stat.S_IXGRP)
    return bool(found.st_mode & stat.S_IXOTH)
