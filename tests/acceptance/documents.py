"""Reads the marked blocks of a Markdown document and does what a reader would do with them.

A comment on the line before a fenced block says what the block is:

- ``<!-- tested -->`` before ``console``: each line that starts with ``$ `` is run (lines that start with
  ``> `` continue it), and must succeed. The other lines are what it shows: each must be found in its output, in
  this order; ``...`` stands for anything. Before ``sh`` the whole block is one script.
- ``<!-- file: NAME -->``: the block is written to that file.
- ``<!-- not tested: WHY -->``: the block is for reading only.

All blocks of a document run in order, in one folder; variables and the working folder carry over.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

SECONDS = 600
SHELL_LANGUAGES = {"console", "sh", "bash", "shell"}
_FENCE = re.compile(r"^(?P<fence>```+)(?P<language>\w*)\s*$")
_MARK = re.compile(r"^<!-- (?P<kind>tested|file|not tested)(?:: (?P<value>.+?))? -->$")


@dataclass(frozen=True, slots=True)
class Block:
    """A fenced block. ``line`` is the line of its fence, ``text`` its lines, each with its end."""

    line: int
    language: str
    kind: str
    value: str
    text: str


@dataclass(frozen=True, slots=True)
class Command:
    """A command and the lines that the document shows as its output."""

    line: int
    text: str
    shown: tuple[str, ...]


def blocks(document: str) -> list[Block]:
    """All fenced blocks; ``kind`` is empty for one without a mark.

    :raises AssertionError: for a mark that no block follows.
    """
    found: list[Block] = []
    lines = document.splitlines()
    number = 0
    while number < len(lines):
        mark = _MARK.match(lines[number])
        at = number + 1 if mark else number
        opening = _FENCE.match(lines[at]) if at < len(lines) else None
        assert opening or not mark, f"line {number + 1}: no block follows {lines[number]}"
        if opening is None:
            number += 1
            continue
        end = lines.index(opening["fence"], at + 1)
        text = "".join(f"{line}\n" for line in lines[at + 1 : end])
        kind, value = (mark["kind"], mark["value"] or "") if mark else ("", "")
        found.append(Block(at + 1, opening["language"], kind, value, text))
        number = end + 1
    return found


def commands(block: Block) -> list[Command]:
    """What a tested block runs."""
    if block.language != "console":
        return [Command(block.line, block.text, ())]
    found: list[Command] = []
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if line.startswith("$ "):
            found.append(Command(number, line[2:], ()))
        elif not found:
            raise AssertionError(f"line {number}: output before the first command: {line}")
        elif line.startswith("> ") and not found[-1].shown:
            found[-1] = Command(found[-1].line, f"{found[-1].text}\n{line[2:]}", ())
        elif line.strip():
            found[-1] = Command(found[-1].line, found[-1].text, (*found[-1].shown, line))
    return found


def missing(shown: tuple[str, ...], output: str) -> str | None:
    """The first shown line that the output does not have, after those before it."""
    lines = iter(output.splitlines())
    for wanted in shown:
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.strip().split("...")))
        if not any(pattern.fullmatch(line.strip()) for line in lines):
            return wanted
    return None


@dataclass
class Reader:
    """Someone who follows a document in a folder; what they started in the background ends with :meth:`leave`."""

    folder: Path
    environment: Mapping[str, str]
    _sessions: list[int] = field(default_factory=list)

    def follow(self, name: str, document: str) -> None:
        """Do what the document says.

        :raises AssertionError: naming the document's line, when a command fails or shows something else.
        """
        for block in blocks(document):
            if block.kind == "file":
                target = self.folder / block.value
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_text(block.text)
            elif block.kind == "tested":
                for command in commands(block):
                    status, output = self.run(command.text)
                    place = f"{name}:{command.line}: `{command.text.strip()}`"
                    assert status == 0, f"{place} ended with {status}:\n{output}"
                    absent = missing(command.shown, output)
                    assert absent is None, f"{place} did not show {absent!r}, but:\n{output}"

    def run(self, command: str) -> tuple[int, str]:
        """Its exit code and all that it wrote."""
        state, output = self.folder / ".reader-state", self.folder / ".reader-output"
        script = f"""
            set -e
            [ ! -f '{state}' ] || . '{state}'
            eval "$1"
            {{ export -p; printf 'cd %q\\n' "$PWD"; }} >'{state}'
        """
        # A new file each time: what runs on in the background writes into the old one, and would hold a pipe open.
        output.unlink(missing_ok=True)
        with output.open("w") as file:
            shell = subprocess.Popen(
                ["bash", "-c", script, "bash", command],
                cwd=self.folder,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            self._sessions.append(shell.pid)
            status = shell.wait(timeout=SECONDS)
        return status, output.read_text()

    def leave(self) -> None:
        """End what still runs in the background."""
        for session in self._sessions:
            with suppress(ProcessLookupError):
                os.killpg(session, signal.SIGKILL)
