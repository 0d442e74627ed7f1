"""Passwords that this process knows, so that nothing it prints shows them."""

from __future__ import annotations

import re

_known: set[str] = set()
_ADDRESS = re.compile(r"://|password", re.I)


def remember(dsn: str, password: str | None = None) -> None:
    """Never print the password of this address, nor ``password`` (from PGPASSWORD).

    A password that is also the name of the role, database or host is not kept from view: hiding it would
    only garble messages that rightly show the name.
    """
    from psycopg.conninfo import conninfo_to_dict

    parts = {key: str(value) for key, value in conninfo_to_dict(dsn).items() if value is not None}
    public = {parts.get(key) for key in ("user", "dbname", "host", "hostaddr", "port", "service")}
    for secret in (parts.get("password"), parts.get("sslpassword"), password):
        if secret and secret not in public:
            _known.add(secret)


def keep(secret: str | None) -> None:
    """Never print this text, such as a webhook's address; nothing if there is none."""
    if secret:
        _known.add(secret)


def hidden(text: str) -> str:
    """``text`` without any password."""
    for secret in _known:
        text = text.replace(secret, "***")
    if _ADDRESS.search(text):
        from lockgate.engine.address import redact

        text = redact(text)
    return text
