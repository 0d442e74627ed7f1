"""What the YAML parser complains about, in plain sentences."""

from __future__ import annotations

import re

from ruamel.yaml.error import MarkedYAMLError

from lockgate.textfile import Problem, Source

_FORBIDDEN = re.compile("[^\\x09\\x0a\\x20-\\x7e\\xa0-\\u2027\\u202a-\\ud7ff\\ue000-\\ufffd\\U00010000-\\U0010ffff]")
_SENTENCES = (
    (r"cannot start any token.*", "the character {character} cannot start a value; put the value in quotes"),
    (r"could not find expected ':'", "a key without `:` stands here, or the indentation is wrong"),
    (r"sequence entries are not allowed here", "a `- ` is not expected here; look at the indentation"),
    (r"mapping keys are not allowed here", "a key is not expected here; look at the indentation"),
    (
        r"mapping values are not allowed here",
        "a `:` is not expected here; look at the indentation, or put a text that holds `: ` in quotes",
    ),
    (r"unexpected end of stream", "the quoted text that starts here is not closed"),
    (r"unexpected document separator", "the quoted text that starts here is not closed"),
    (r"unknown escape character|escape sequence", "this `\\` is not followed by an escape that YAML knows"),
    (r"expected <block end>", "this does not fit what stands before it; look at the indentation and the quotes"),
    (r"expected ',' or '[\]}]'|expected the node content", "a value, a `,` or a closing bracket is missing here"),
    (r"indentation indicator|chomping", "after `|` or `>` only `+`, `-`, a digit from 1 to 9 or a comment may follow"),
    (r"alphabetic or numeric", "the name of an anchor or alias is missing after `&` or `*`"),
    (r"tag handle|URI", "tags (`!...`) are not read; write the value without"),
    (r"document end|document start", "a plan is one document, and something else follows it"),
)


def forbidden_character(source: Source) -> Problem | None:
    """The first character that a plan may not hold: a control character or an invisible line break."""
    found = _FORBIDDEN.search(source.text)
    if found is None:
        return None
    what = f"holds the invisible character U+{ord(found[0]):04X}; remove it"
    return source.problem(found.start(), what)


def explain(source: Source, error: Exception) -> Problem:
    """The place and the sentence for an error of the parser."""
    if not isinstance(error, MarkedYAMLError):
        return source.problem(0, "cannot be read as YAML")
    problem = error.problem or ""
    mark = error.problem_mark or error.context_mark
    index = mark.index if mark is not None else 0
    if error.context_mark is not None and re.search(r"end of stream|document separator|expected ':'", problem):
        index = error.context_mark.index  # where it began: the parser says where it gave up
    character = source.text[index : index + 1]
    if character == "\t":
        return source.problem(index, "a tab stands where YAML wants spaces; indent with spaces")
    for pattern, sentence in _SENTENCES:
        if re.search(pattern, problem, re.DOTALL):
            return source.problem(index, sentence.replace("{character}", character))
    return source.problem(index, "is not YAML")
