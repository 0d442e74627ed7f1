"""The commands that the documents show, run as a reader would run them (``documents.py`` says how they are marked)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lockgate.embedded import EmbeddedServer
from tests.acceptance.documents import SHELL_LANGUAGES, Block, Reader, blocks, commands, missing

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
TESTED = [
    name
    for name, path in zip(NAMES, DOCUMENTS, strict=True)
    if any(block.kind == "tested" for block in blocks(path.read_text()))
]


@pytest.fixture
def reader(tmp_path: Path, dsn: str, embedded_server: EmbeddedServer) -> Iterator[Reader]:
    """A reader with Lockgate and PostgreSQL's programs installed, and an empty database in DATABASE_URL."""
    programs = [Path(sys.executable).parent, embedded_server.bin, os.environ["PATH"]]
    reader = Reader(
        tmp_path,
        {
            "PATH": os.pathsep.join(str(place) for place in programs),
            "HOME": str(tmp_path),
            "LANG": "C.UTF-8",
            "DATABASE_URL": dsn,
        },
    )
    yield reader
    reader.leave()


@pytest.mark.parametrize("name", TESTED)
def test_what_the_document_shows_is_what_happens(name: str, reader: Reader) -> None:
    reader.follow(name, (ROOT / name).read_text())


@pytest.mark.parametrize("name", NAMES)
def test_each_shell_block_says_whether_it_is_tested(name: str) -> None:
    silent = [
        f"{name}:{block.line}: put <!-- tested --> or <!-- not tested: WHY --> on the line before"
        for block in blocks((ROOT / name).read_text())
        if block.language in SHELL_LANGUAGES and (not block.kind or (block.kind == "not tested" and not block.value))
    ]
    assert silent == []


# The harness itself, on tiny documents.

TINY = """
# A document

<!-- file: sql/answer.sql -->
```sql
SELECT 41 + 1;
```

<!-- tested -->
```console
$ lockgate --version
lockgate ...
$ export QUERY="$PWD/sql/answer.sql" && mkdir deeper && cd deeper
$ psql --no-psqlrc --tuples-only \\
>   --file "$QUERY" "$DATABASE_URL"
42
$ sleep 600 &
```

<!-- tested -->
```sh
for word in all of it; do
    echo $word
done
test "$(basename "$PWD")" = deeper
```

<!-- not tested: it would not end -->
```console
$ sleep infinity
```
"""


def test_a_document_is_followed_from_top_to_bottom(reader: Reader) -> None:
    reader.follow("tiny.md", TINY)
    assert (reader.folder / "sql" / "answer.sql").read_text() == "SELECT 41 + 1;\n"


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ("$ false", r"tiny\.md:3: `false` ended with 1"),
        ("$ true\n$ echo one\ntwo", r"tiny\.md:4: `echo one` did not show 'two', but:\none"),
        ("$ printf 'b\\na\\n'\na\nb", "did not show 'b'"),
        ("$ false; true", "ended with 1"),
        ("what is this", "line 3: output before the first command"),
    ],
)
def test_a_document_that_lies_is_named_with_its_line(block: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=message):
        Reader(tmp_path, {"PATH": os.environ["PATH"]}).follow("tiny.md", f"<!-- tested -->\n```console\n{block}\n```\n")


def test_a_mark_without_a_block_is_a_mistake() -> None:
    with pytest.raises(AssertionError, match="line 2: no block follows"):
        blocks("text\n<!-- tested -->\n\n```console\n$ true\n```\n")


def test_a_block_within_a_longer_fence_is_text() -> None:
    assert [block.text for block in blocks("````\n```sh\nfalse\n```\n````\n")] == ["```sh\nfalse\n```\n"]


def test_a_continued_command_is_one_command() -> None:
    block = Block(1, "console", "tested", "", "$ echo a \\\n>   b\na b\n")
    assert [command.text for command in commands(block)] == ["echo a \\\n  b"]


@pytest.mark.parametrize(
    ("shown", "absent"),
    [
        (("one", "three"), None),
        (("t...e",), None),
        (("...",), None),
        (("two", "one"), "one"),
        (("tw",), "tw"),
        (("one", "one"), "one"),
    ],
)
def test_shown_lines_are_looked_for_in_their_order(shown: tuple[str, ...], absent: str | None) -> None:
    assert missing(shown, "one\ntwo\nthree\n") == absent
