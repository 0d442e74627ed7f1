"""What a migration that is a program raised: where in its files, and what the server said."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from lockgate.history.files import installed

if TYPE_CHECKING:
    import psycopg


def innermost(error: BaseException, folder: Path) -> tuple[str, int] | None:
    """The file below ``folder`` and the line in it at which an error came up; None if it came up elsewhere.

    What is installed below the folder, in an environment of the project's own, is not the project's.
    """
    found = None
    trace = error.__traceback__
    while trace is not None:
        file = Path(trace.tb_frame.f_code.co_filename)
        below = file.is_relative_to(folder) or file.resolve().is_relative_to(folder.resolve())
        if below and not installed(file):
            found = (str(file), trace.tb_lineno)
        trace = trace.tb_next
    return found


def of_server(error: BaseException) -> psycopg.Error | None:
    """The server's error that led to this one; also where a library wrapped it."""
    import psycopg

    seen: BaseException | None = error
    while seen is not None:
        for each in (seen, getattr(seen, "orig", None)):
            if isinstance(each, psycopg.Error):
                return each
        seen = seen.__cause__ or seen.__context__
    return None
