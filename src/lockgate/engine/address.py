"""Where the database is, and how to say so without showing a password."""

from __future__ import annotations

import re
from collections.abc import Mapping

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from lockgate.errors import UsageError

_LIBPQ = ("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGSERVICE", "PGSERVICEFILE")
_HIDDEN = "***"
# Up to the last @: a password that is not percent-encoded may hold any sign, and whatever it holds is hidden.
_URL_PASSWORD = re.compile(r"://(?P<user>[^\s/@:?]*)(?P<rest>\S*)@")
_PORTS = re.compile(r"[0-9,]*")
_KEY_PASSWORD = re.compile(
    r"\b(?P<key>password|sslpassword|passfile)(?P<equals>\s*=\s*)('(?:[^'\\]|\\.)*'|[^\s&]+)", re.I
)


def resolve(database: str | None, env: Mapping[str, str]) -> str:
    """The conninfo string to connect with: ``database``, else ``DATABASE_URL``, else libpq's own variables.

    A name without ``=`` or ``://`` is the name of a database, as for psql. URLs of other drivers
    (``postgresql+asyncpg://``) are read as what they mean.

    :raises UsageError: when there is no address at all, or it cannot be read. No part of it is shown then, nor what
        libpq says of it: nobody knows which part is the password.
    """
    text = database or env.get("DATABASE_URL")
    if not text:
        if any(env.get(name) for name in _LIBPQ):
            return ""
        raise UsageError(
            "No database was named",
            hint="Give --database postgresql://user@host/name, or set DATABASE_URL or libpq's variables.",
        )
    if "://" not in text and "=" not in text and not re.search(r"[:@/]", text):
        return make_conninfo(dbname=text)
    url = re.sub(r"^(postgres(?:ql)?)\+\w+://", r"\1://", text.strip())
    if not _readable(url):
        raise UsageError(
            "The database address cannot be read",
            where="--database" if database else "DATABASE_URL",
            why="It is not shown, because it may hold a password.",
            hint="Write postgresql://user@host:5432/name; percent-encode special characters.",
        )
    return url


def _readable(address: str) -> bool:
    """Whether libpq understands it, and nothing of a password stands where it would be shown.

    In a URL, a password with a sign that is not percent-encoded ends up in the host, the port or the name.
    """
    try:
        parts = conninfo_to_dict(address)
    except (ProgrammingError, UnicodeError):
        return False
    if not _PORTS.fullmatch(str(parts.get("port", ""))) or "@" in str(parts.get("host", "")).lstrip("@"):
        return False
    scheme, found, rest = address.partition("://")
    if not found or "=" in scheme:
        return True
    place, _, query = rest.partition("?")
    authority, _, name = place.partition("/")
    if "@" not in authority and ":" in authority:
        name += query
    return not re.search(r"\s", rest) and authority.count("@") < 2 and "@" not in name


def redact(text: str) -> str:
    """``text`` without any password that it holds in a URL or a conninfo string."""
    hidden = _URL_PASSWORD.sub(_without_password, text)
    return _KEY_PASSWORD.sub(rf"\g<key>\g<equals>{_HIDDEN}", hidden)


def _without_password(found: re.Match[str]) -> str:
    rest = found["rest"]
    if rest.startswith(":"):
        return f"://{found['user']}:{_HIDDEN}@"
    return f"://{_HIDDEN}@" if rest else found[0]


def describe(dsn: str) -> str:
    """``user@host:port/database`` of a conninfo string, for messages; never the password."""
    parts = conninfo_to_dict(dsn)
    user = f"{parts['user']}@" if parts.get("user") else ""
    port = f":{parts['port']}" if parts.get("port") else ""
    database = f"/{parts['dbname']}" if parts.get("dbname") else ""
    place = f"{user}{parts.get('host') or parts.get('hostaddr') or 'local socket'}{port}{database}"
    return f"{place} (service {parts['service']})" if parts.get("service") else place
