"""LG90x and LG91x: transactions, waiting for locks, and the way back."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import Key
from lockgate.safety.rule import TEXT_END, Found, rule
from lockgate.safety.rules.rows import by_key
from lockgate.safety.subject import Statement
from lockgate.safety.waiting import Waiting
from lockgate.sql.ddl import dotted
from lockgate.sql.tree import enum

_CHANGES = frozenset({"UpdateStmt", "DeleteStmt", "MergeStmt"})


def _strong(c: Context, statement: Statement) -> list[Key]:
    """The tables that a statement locks, without those that the text made itself."""
    return list(c.locked.get(statement.index, ()))


@rule(
    "LG901",
    "no-lock-timeout",
    Severity.MEDIUM,
    "A strong lock without lock_timeout",
    on=(TEXT_END,),
    hazard="A statement that waits for a strong lock has everybody who comes later wait behind it, readers too. "
    "Without lock_timeout it waits for as long as the longest transaction on the table takes; with one of "
    "more than 10 s, or with a statement_timeout only, for nearly as long.",
    instead="SET lock_timeout = '2s' first, and run it again when it fails.",
    rows=(79,),
    catalog="which transactions are under way on the tables",
)
def no_lock_timeout(c: Context) -> Iterator[Found]:
    if c.subject.patient:
        return
    waiting = Waiting()
    for statement in c.subject.statements:
        if statement.kind == "VariableSetStmt":
            waiting.told(statement)
            continue
        locked = _strong(c, statement)
        if locked and (reason := waiting.too_long(statement)):
            yield c.at(statement).found(
                f"Whoever comes later waits behind this for {_shown(locked)}, for as long as it waits for its lock.",
                reason,
            )
            return


def _shown(names: list[Key]) -> str:
    return ", ".join(dict.fromkeys(dotted(name) for name in names))


@rule(
    "LG902",
    "several-strong-locks",
    Severity.MEDIUM,
    "One transaction locks several tables",
    on=(TEXT_END,),
    hazard="Each table stays locked until the transaction ends: the first one while it waits for the last. An "
    "application that takes them in another order runs into a deadlock.",
    instead="One table in each transaction.",
    rows=(79,),
    catalog="which tables more are locked, through foreign keys and partitions",
)
def several_strong_locks(c: Context) -> Iterator[Found]:
    seen: dict[int, dict[Key, Statement]] = {}
    told: set[int] = set()
    for statement in c.subject.statements:
        if statement.block is None or statement.block in told:
            continue
        held = seen.setdefault(statement.block, {})
        for name in _strong(c, statement):
            held.setdefault(name, statement)
        if len({first.index for first in held.values()}) > 1:  # what one statement locks cannot be taken apart
            told.add(statement.block)
            yield c.at(statement).found(
                f"{_shown(list(held)[:-1])} stays locked while this waits for {_shown(list(held)[-1:])}.",
                "Locks are held until the transaction ends.",
            )


@rule(
    "LG903",
    "work-under-lock",
    Severity.HIGH,
    "Rows are changed while a table is locked for everybody",
    on=(TEXT_END,),
    hazard="What ALTER TABLE has locked stays locked until the transaction ends. A backfill after it, in the same "
    "transaction, has all readers and writers wait for as long as it takes.",
    instead="Commit after ALTER TABLE; change the rows in transactions of their own.",
    rows=(62, 79),
    data="how many rows are changed",
)
def work_under_lock(c: Context) -> Iterator[Found]:
    held: dict[int, Key] = {}  # the first lock of each transaction
    for statement in c.subject.statements:
        if statement.block is None:
            continue
        if statement.kind in _CHANGES and statement.block in held and not by_key(c.at(statement)):
            yield c.at(statement).found(
                f"{dotted(held[statement.block])} stays locked for everybody while this changes rows.",
                "Both are in one transaction, and locks are held until it ends.",
            )
            return
        locked = _strong(c, statement)
        if locked:
            held.setdefault(statement.block, locked[0])


@rule(
    "LG904",
    "own-transaction",
    Severity.HIGH,
    "BEGIN or COMMIT in a text that the tool wraps in a transaction",
    on=("TransactionStmt",),
    hazard="The tool has begun a transaction already: BEGIN does nothing but warn, and COMMIT ends the tool's "
    "transaction, so that what follows, and the line in the history, is no part of it: a failure leaves a "
    "half-done migration that counts as not done, or the other way round.",
    instead="Leave it out, or tell the tool to run this migration without a transaction.",
)
def own_transaction(c: Context) -> Iterator[Found]:
    word = enum(c.node, "kind")
    if c.subject.wrapped and word in _BORDERS:
        yield c.found(
            f"{word.removeprefix('TRANS_STMT_')} stands in a text that the tool runs in its own transaction.",
            "It ends, or does not begin, what the tool thinks is one transaction.",
            settled=True,
        )


_BORDERS = frozenset({"TRANS_STMT_BEGIN", "TRANS_STMT_START", "TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK"})


@rule(
    "LG905",
    "unbalanced-transaction",
    Severity.HIGH,
    "A transaction that is not ended, or begun twice",
    on=(TEXT_END,),
    hazard="What is not committed when the session ends is rolled back, without an error. A second BEGIN only warns, "
    "so the first COMMIT ends both.",
    instead="One COMMIT for each BEGIN.",
    rows=(80,),
)
def unbalanced_transaction(c: Context) -> Iterator[Found]:
    if c.subject.wrapped:
        return
    opened: Statement | None = None
    for statement in c.subject.statements:
        if statement.kind != "TransactionStmt":
            continue
        word = enum(statement.node, "kind")
        if word in {"TRANS_STMT_BEGIN", "TRANS_STMT_START"}:
            if opened is not None:
                yield c.at(statement).found(
                    "A transaction is begun in a transaction: the first COMMIT ends both.",
                    "PostgreSQL only warns of it.",
                    settled=True,
                )
            opened = statement
        elif word in {"TRANS_STMT_COMMIT", "TRANS_STMT_ROLLBACK", "TRANS_STMT_PREPARE"}:
            if opened is None:
                yield c.at(statement).found(
                    "This ends a transaction that was not begun.",
                    "PostgreSQL only warns of it: what stands before has been committed already.",
                    settled=True,
                    severity=Severity.MEDIUM,
                )
            opened = None
    if opened is not None:
        yield c.at(opened).found(
            "This transaction is not committed: all of it is rolled back when the session ends.",
            "No COMMIT follows.",
            settled=True,
        )


_UNDONE_BY = {
    "CreateStmt": ("DropStmt",),
    "ViewStmt": ("DropStmt", "ViewStmt"),
    "CreateFunctionStmt": ("DropStmt", "CreateFunctionStmt"),
    "CreateTrigStmt": ("DropStmt", "CreateTrigStmt"),
    "CreateEnumStmt": ("DropStmt",),
    "CreateDomainStmt": ("DropStmt",),
    "CreateSeqStmt": ("DropStmt",),
    "CreateSchemaStmt": ("DropStmt",),
    "CreateTableAsStmt": ("DropStmt",),
    "CreatePolicyStmt": ("DropStmt",),
    "IndexStmt": ("DropStmt",),
    "RenameStmt": ("RenameStmt",),
    "AlterTableStmt": ("AlterTableStmt", "DropStmt"),
    "AlterObjectSchemaStmt": ("AlterObjectSchemaStmt",),
}
_WORDS = {
    "CreateStmt": "CREATE TABLE",
    "ViewStmt": "CREATE VIEW",
    "CreateFunctionStmt": "CREATE FUNCTION",
    "CreateTrigStmt": "CREATE TRIGGER",
    "CreateEnumStmt": "CREATE TYPE",
    "CreateDomainStmt": "CREATE DOMAIN",
    "CreateSeqStmt": "CREATE SEQUENCE",
    "CreateSchemaStmt": "CREATE SCHEMA",
    "CreateTableAsStmt": "CREATE TABLE AS",
    "CreatePolicyStmt": "CREATE POLICY",
    "IndexStmt": "CREATE INDEX",
    "RenameStmt": "RENAME",
    "AlterTableStmt": "ALTER TABLE",
    "AlterObjectSchemaStmt": "SET SCHEMA",
}


@rule(
    "LG911",
    "down-does-not-undo",
    Severity.MEDIUM,
    "The way down does not take back what the way up did",
    on=(TEXT_END,),
    hazard="After down and up again something is there twice, or an error stops the way up. What a way down forgets "
    "is found when it is needed.",
    instead="Take back each statement of the way up, in the opposite order; try up, down and up again on a copy.",
    catalog="whether the schema is what it was",
)
def down_does_not_undo(c: Context) -> Iterator[Found]:
    if c.subject.direction != "down":
        return
    down = {statement.kind for statement in c.subject.statements}
    if "DoStmt" in down:
        return
    for kind in c.up:
        if kind in _UNDONE_BY and not down.intersection(_UNDONE_BY[kind]) and not _goes_with_it(kind, c):
            yield c.at(c.subject.statements[0]).found(
                f"{_WORDS[kind]} of the way up is not taken back here.",
                "No statement of the way down does what would undo it.",
            )


def _goes_with_it(kind: str, c: Context) -> bool:
    """Whether it goes with a table, a schema or a column that is dropped."""
    return kind in {"IndexStmt", "CreateTrigStmt", "CreatePolicyStmt"} and any(
        statement.kind in {"DropStmt", "AlterTableStmt"} for statement in c.subject.statements
    )


@rule(
    "LG912",
    "enum-value-left-behind",
    Severity.LOW,
    "A new enum value stays after the way down",
    on=(TEXT_END,),
    hazard="PostgreSQL cannot take a value out of an enum. After down and up again ADD VALUE fails, because the value "
    "is there.",
    instead="Say ADD VALUE IF NOT EXISTS on the way up.",
    rows=(64,),
)
def enum_value_left_behind(c: Context) -> Iterator[Found]:
    if c.subject.direction != "down" or "AlterEnumStmt" not in c.up:
        return
    if not any(statement.kind == "DropStmt" for statement in c.subject.statements):
        yield c.at(c.subject.statements[0]).found(
            "The enum value that the way up adds stays after the way down.", "No value of an enum can be dropped."
        )


RULES = (
    no_lock_timeout,
    several_strong_locks,
    work_under_lock,
    own_transaction,
    unbalanced_transaction,
    down_does_not_undo,
    enum_value_left_behind,
)
