"""Where the database is, and how to say so without showing a password."""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.errors import UsageError

_LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE")
_HIDDEN = "***"
_URL_PASSWORD = re.compile(r"(?P<head>\bpostgres(?:ql)?(?:\+\w+)?://[^\s/@:?]*):(?P<password>[^\s/]*)@")
_KEY_PASSWORD = re.compile(
    r"\b(?P<key>password|sslpassword|passfile)(?P<equals>\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.I
)


def resolve(database: str | None, env: Mapping[str, str]) -> str:
    """The conninfo string to connect with: ``database``, else ``DATABASE_URL``, else libpq's own variables.

    A name without ``=`` or ``://`` is the name of a database, as for psql. URLs of other drivers
    (``postgresql+asyncpg://``) are read as what they mean.

    :raises UsageError: when there is no address at all, or it cannot be read.
    """
    text = database or env.get("DATABASE_URL")
    if not text:
        if any(env.get(name) for name in _LIBPQ):
            return ""
        raise UsageError(
            "No database was named",
            hint="Give --database postgresql://user@host/name, or set DATABASE_URL or libpq's variables.",
        )
    if "://" not in text and "=" not in text:
        return make_conninfo(dbname=text)
    url = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", text.strip())
    try:
        conninfo_to_dict(url)
    except ProgrammingError as error:
        raise UsageError(
            "The database address cannot be read",
            where=redact(text),
            why=redact(str(error).strip()),
            hint="Write postgresql://user@host:5432/name; percent-encode special characters.",
        ) from None
    return url


def redact(text: str) -> str:
    """``text`` without any password that it holds in a URL or a conninfo string."""
    hidden = _URL_PASSWORD.sub(rf"\g<head>:{_HIDDEN}@", text)
    return _KEY_PASSWORD.sub(rf"\g<key>\g<equals>{_HIDDEN}", hidden)


def describe(dsn: str) -> str:
    """``user@host:port/database`` of a conninfo string, for messages; never the password."""
    parts = conninfo_to_dict(dsn)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    database = f"/{parts['dbname']}" if parts.get("dbname") else ""
    place = f"{user}{parts.get('host') or parts.get('hostaddr') or 'local socket'}{port}{database}"
    return f"{place} (service {parts['service']})" if parts.get("service") else place
