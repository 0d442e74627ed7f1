"""What a backup's folder says of itself: which tables, with which content, in which files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Literal

from lockgate.errors import CheckFailed

NAME = "manifest.json"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class TableContent:
    """A table as it was in the backup's snapshot.

    :param hash: of all its rows, put together in this ``way``.
    :param columns: name, type and whether NULL is refused, in their order.
    :param bytes: with its indexes.
    """

    schema: str
    name: str
    rows: int
    hash: str
    way: Literal["xor", "sums"]
    bytes: int
    columns: tuple[tuple[str, str, bool], ...]

    @property
    def label(self) -> str:
        """The name for people: schema.table."""
        return f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class File:
    """A file of the backup."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The whole of it.

    :param major: version of the server.
    :param client: the version of pg_dump.
    :param snapshot_at: the database's time when the snapshot was taken.
    :param standby: the standby that it was taken from, without a password; None: from the database itself.
    :param chosen: the patterns that chose the tables; none: the whole database.
    :param files: by their path in the folder.
    """

    database: str
    server_version: str
    major: int
    encoding: str
    client: str
    snapshot_at: datetime
    standby: str | None
    chosen: tuple[str, ...]
    tables: tuple[TableContent, ...]
    files: Mapping[str, File]

    @property
    def client_major(self) -> int:
        """The major version of pg_dump, also of a beta."""
        return int(self.client.split(".")[0].rstrip("abcdefghijklmnopqrstuvwxyz"))

    @property
    def bytes(self) -> int:
        """What the tables took in the database."""
        return sum(table.bytes for table in self.tables)


def write(folder: Path, manifest: Manifest) -> str:
    """Write it into the backup's folder; the SHA-256 of the file."""
    content = {"format": FORMAT, **asdict(manifest), "snapshot_at": manifest.snapshot_at.isoformat()}
    text = json.dumps(content, indent=1, ensure_ascii=False).encode()
    (folder / NAME).write_bytes(text)
    return sha256(text).hexdigest()


def digest(folder: Path) -> str:
    """The SHA-256 of the manifest in a backup's folder.

    :raises CheckFailed: if there is none.
    """
    return sha256(_text(folder)).hexdigest()


def read(folder: Path) -> Manifest:
    """:raises CheckFailed: if there is none, or it cannot be read."""
    try:
        said = json.loads(_text(folder))
        if said.pop("format") != FORMAT:
            raise ValueError("it is of another version of Lockgate")
        return _manifest(said)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckFailed(
            "The backup's manifest cannot be read",
            where=str(folder / NAME),
            why=str(error) or type(error).__name__,
            hint="Make a new backup with `lockgate backup`.",
        ) from error


def files(folder: Path) -> dict[str, File]:
    """Every file in the folder but the manifest; reads all of them."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path != folder / NAME)
    return {path.relative_to(folder).as_posix(): _file(path) for path in paths}


def faults(folder: Path, manifest: Manifest) -> list[str]:
    """What of the files is not as it was written, each in a sentence that names the file; reads all of them."""
    found = []
    for name, was in manifest.files.items():
        path = folder / name
        try:
            size = path.stat().st_size
            if size != was.bytes:
                kind = "is truncated" if size < was.bytes else "is longer than it was"
                found.append(f"{name} {kind}: {size} of {was.bytes} bytes")
            elif _file(path).sha256 != was.sha256:
                found.append(f"{name} was changed: its SHA-256 is another one")
        except FileNotFoundError:
            found.append(f"{name} is missing")
        except OSError as error:
            found.append(f"{name} cannot be read: {error.strerror}")
    return found


def _text(folder: Path) -> bytes:
    try:
        return (folder / NAME).read_bytes()
    except OSError as error:
        raise CheckFailed(
            "There is no backup that can be read",
            where=str(folder / NAME),
            why=error.strerror,
            hint="Name the folder that `lockgate backup` made, or make a new one with it.",
        ) from error


def _file(path: Path) -> File:
    with path.open("rb") as opened:
        return File(path.stat().st_size, file_digest(opened, "sha256").hexdigest())


def _manifest(said: dict[str, Any]) -> Manifest:
    tables = [
        TableContent(**{**table, "columns": tuple((str(n), str(t), bool(needed)) for n, t, needed in table["columns"])})
        for table in said["tables"]
    ]
    return Manifest(
        **{
            **said,
            "snapshot_at": datetime.fromisoformat(said["snapshot_at"]),
            "chosen": tuple(said["chosen"]),
            "tables": tuple(tables),
            "files": {name: File(**file) for name, file in said["files"].items()},
        }
    )
