"""The words of a piece of code: the names in it and the texts in it, without its comments.

For code that no grammar here understands as a whole, such as PL/pgSQL, whose words are those of SQL.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from lockgate.sql.tree import SqlSyntaxError, tokens

_DEFINES = frozenset({"function", "procedure"})  # EXECUTE FUNCTION stands in the definition of a trigger


@dataclass(frozen=True, slots=True)
class Words:
    """What stands in a piece of code.

    :param names: identifiers and keywords, as the catalog holds names: folded where they are not quoted.
    :param texts: its string constants, any of which may be SQL that it runs.
    :param executes: whether it runs SQL that it builds (``EXECUTE`` of PL/pgSQL).
    """

    names: frozenset[str]
    texts: tuple[str, ...]
    executes: bool

    def tell_of(self, name: str) -> bool:
        """Whether this name stands in the code, or as a word in one of its texts in whatever case."""
        return name in self.names or any(holds(text, name) for text in self.texts)


def holds(text: str, name: str) -> bool:
    """Whether a text holds a name as a whole word, in whatever case and also as it is within quotes."""
    return _word(name).search(text) is not None


@cache
def _word(name: str) -> re.Pattern[str]:
    spelled = {name, name.replace('"', '""'), name.replace("'", "''"), name.replace('"', '""').replace("'", "''")}
    found = "|".join(re.escape(each) for each in sorted(spelled))
    return re.compile(rf"(?<![\w$])(?:{found})(?![\w$])", re.IGNORECASE)


def words(code: str) -> Words:
    """Take a piece of code apart. What cannot be is one text: it may name anything that stands in it."""
    try:
        found = [token for token in tokens(code) if not token.startswith(("--", "/*"))]
    except SqlSyntaxError:
        return Words(frozenset(), (code,), holds(code, "execute"))
    following = [*(token.lower() for token in found[1:]), ""]
    executes = any(
        token.lower() == "execute" and after not in _DEFINES for token, after in zip(found, following, strict=True)
    )
    texts = tuple(token for token in found if "'" in token or token.startswith("$"))
    return Words(frozenset(_name(token) for token in found), texts, executes)


def _name(token: str) -> str:
    """As the server folds it: capital letters of ASCII only."""
    if token.startswith('"'):
        return token[1:-1].replace('""', '"')
    return re.sub("[A-Z]+", lambda found: found[0].lower(), token)
