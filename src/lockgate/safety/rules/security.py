"""LG74x: triggers, rules, row security, grants, and what replication goes by."""

from __future__ import annotations

from collections.abc import Iterator

from lockgate.safety.context import Context
from lockgate.safety.finding import Severity
from lockgate.safety.known import key, key_of
from lockgate.safety.rule import Found, rule
from lockgate.sql.ddl import dotted, ident, objects
from lockgate.sql.ddl import relation as named
from lockgate.sql.tree import Node, enum, strings

_OFF = frozenset({"AT_DisableTrig", "AT_DisableTrigAll", "AT_DisableTrigUser"})


@rule(
    "LG741",
    "create-trigger",
    Severity.MEDIUM,
    "A trigger blocks writes until it has its lock, and costs each write from then on",
    on=("CreateTrigStmt",),
    hazard="CREATE TRIGGER takes SHARE ROW EXCLUSIVE: it waits for all writers, and later ones queue behind it. From "
    "then on each write runs it, and fails where it fails.",
    instead="Set lock_timeout and try again; keep the transaction short.",
    rows=(74,),
    catalog="how busy the table is",
)
def create_trigger(c: Context) -> Iterator[Found]:
    view = _instead_of(c)
    if not (c.is_new or view or ("OBJECT_VIEW", c.key) in c.known.made):
        yield c.found(
            f"Writes to {c.table} wait until this has its lock, and run the trigger from then on.",
            "CREATE TRIGGER takes SHARE ROW EXCLUSIVE.",
        )


def _instead_of(c: Context) -> bool:
    """Whether it is INSTEAD OF, on a view."""
    return int(c.node.timing) == 1 << 6


@rule(
    "LG742",
    "drop-trigger",
    Severity.MEDIUM,
    "What a trigger kept is kept no more",
    on=("DropStmt", "VariableSetStmt", *sorted(_OFF)),
    hazard="DROP TRIGGER takes ACCESS EXCLUSIVE, DISABLE TRIGGER takes SHARE ROW EXCLUSIVE. What the trigger kept (a "
    "copy, a sum, an audit log) misses each write from then on; DISABLE TRIGGER ALL turns foreign keys off, "
    "too, and so does session_replication_role = replica, for the session.",
    instead="Set lock_timeout. See that nobody relies on it, or make good for what was missed when it is on again.",
    rows=(74,),
    catalog="whether triggers of foreign keys or of replication are among them",
)
def drop_trigger(c: Context) -> Iterator[Found]:
    if c.statement.kind == "DropStmt":
        if enum(c.node, "remove_type") != "OBJECT_TRIGGER":
            return
        for names in objects(c.node):
            if ("OBJECT_TRIGGER", (names[-2], names[-1])) not in c.known.made and c.subject.direction == "up":
                yield c.found(
                    f"What the trigger {ident(names[-1])} on {dotted(names[:-1])} did is not done any more.",
                    "DROP TRIGGER takes ACCESS EXCLUSIVE: readers wait, too.",
                )
    elif c.statement.kind == "VariableSetStmt":
        said = [item.a_const.sval.sval for item in c.node.args]
        if c.node.name == "session_replication_role" and said == ["replica"]:
            yield c.found(
                "No trigger runs for what this session writes from now on, and no foreign key is tested.",
                "session_replication_role = replica is for programs that replicate.",
                severity=Severity.HIGH,
            )
    elif not c.is_new:
        every = enum(c.part, "subtype") == "AT_DisableTrigAll"
        yield c.found(
            f"What the triggers of {c.table} do is not done for each write from now on"
            + (", foreign keys included." if every else "."),
            "A trigger that is switched on again does not make good for what it missed.",
            severity=Severity.HIGH if every else None,
        )


@rule(
    "LG743",
    "create-rule",
    Severity.MEDIUM,
    "A rule rewrites statements in ways that surprise",
    on=("RuleStmt", "DropStmt"),
    hazard="CREATE RULE takes ACCESS EXCLUSIVE. Rules change the text of statements: values with side effects are "
    "computed twice, and counts of rows and RETURNING become other ones. DROP RULE ends that, under the same lock.",
    instead="Use a trigger, INSTEAD OF on a view.",
    rows=(74, 80),
)
def create_rule(c: Context) -> Iterator[Found]:
    if c.statement.kind == "DropStmt":
        dropped = objects(c.node) if enum(c.node, "remove_type") == "OBJECT_RULE" else []
        for names in dropped if c.subject.direction == "up" else ():
            yield c.found(
                f"Statements on {dotted(names[:-1])} are not rewritten by {ident(names[-1])} any more.",
                "DROP RULE takes ACCESS EXCLUSIVE, too.",
            )
    elif not c.known.is_new(key(c.node.relation)):
        yield c.found(
            f"Statements on {named(c.node.relation)} are rewritten by the rule, which may compute values twice.",
            "CREATE RULE takes ACCESS EXCLUSIVE, too.",
        )


@rule(
    "LG744",
    "row-security-without-policy",
    Severity.HIGH,
    "Row security without a policy hides all rows",
    on=("AT_EnableRowSecurity", "AT_ForceRowSecurity"),
    hazard="With row security on and no policy, everybody but the owner (with FORCE the owner, too) sees no row and "
    "writes none, without an error for readers.",
    instead="Create the policies first, in the same transaction.",
    rows=(75,),
    catalog="whether the table has policies, and who owns it",
)
def row_security_without_policy(c: Context) -> Iterator[Found]:
    if (c.is_new and not c.known.may_be_old(c.key)) or any(
        other.kind == "CreatePolicyStmt" and key(other.node.table) == c.key for other in c.subject.statements
    ):
        return
    yield c.found(
        f"If {c.table} has no policy, everybody but its owner sees no row of it.",
        "Row security denies what no policy allows.",
    )


@rule(
    "LG745",
    "row-security-off",
    Severity.HIGH,
    "Other rows are visible than before",
    on=("AT_DisableRowSecurity", "AT_NoForceRowSecurity", "DropStmt", "AlterPolicyStmt", "CreatePolicyStmt"),
    hazard="Without row security whoever may read the table reads all of its rows. Dropping a policy shows more rows "
    "if it was restrictive, and fewer if it was not; a new restrictive one hides rows from programs that read them.",
    instead="Replace the policy in the same transaction.",
    rows=(75,),
    catalog="which policies the table has",
)
def row_security_off(c: Context) -> Iterator[Found]:
    if c.statement.kind in {"AlterPolicyStmt", "CreatePolicyStmt"}:
        changes = c.statement.kind == "AlterPolicyStmt" or not c.node.permissive
        if changes and not c.known.is_new(key(c.node.table)) and c.subject.direction == "up":
            yield c.found(
                f"Other rows of {named(c.node.table)} are visible with the policy {ident(c.node.policy_name)}.",
                "It holds from the next statement of each session on.",
                severity=Severity.MEDIUM,
            )
        return
    if c.statement.kind != "DropStmt":
        if not c.is_new or c.known.may_be_old(c.key):
            yield c.found(f"All rows of {c.table} become visible to whoever may read it.", "Its policies do not hold.")
        return
    if enum(c.node, "remove_type") != "OBJECT_POLICY":
        return
    for names in objects(c.node):
        remade = any(
            other.kind == "CreatePolicyStmt" and key(other.node.table) == key_of(names[:-1])
            for other in c.subject.together(c.statement)
            if other.index > c.statement.index
        )
        if not remade and ("OBJECT_POLICY", (names[-2], names[-1])) not in c.known.made:
            yield c.found(
                f"Other rows of {dotted(names[:-1])} are visible without the policy {ident(names[-1])}.",
                "Without a permissive policy no row is, without a restrictive one more are.",
                severity=Severity.LOW if c.subject.direction == "down" else None,
            )


@rule(
    "LG746",
    "revoke",
    Severity.MEDIUM,
    "Programs may not do any more what they do",
    on=("GrantStmt", "GrantRoleStmt", "AlterRoleStmt", "DropRoleStmt", "AlterFunctionStmt"),
    hazard="REVOKE takes effect at once, in open sessions, too. A program that still needs the right fails with 42501. "
    "So does one that calls a function which does not run with its owner's rights any more.",
    instead="See in pg_stat_statements, by role, that nobody needs it.",
    rows=(76,),
    catalog="who has the right now",
)
def revoke(c: Context) -> Iterator[Found]:
    if c.statement.kind in {"AlterRoleStmt", "DropRoleStmt"}:
        if c.statement.kind == "DropRoleStmt" or _takes_away(c.node):
            yield c.found("Programs that come as such a role fail.", "It takes effect at once, or as they connect.")
        return
    if c.statement.kind == "AlterFunctionStmt":
        given = {item.def_elem.defname: item.def_elem for item in c.node.actions}
        if "security" in given and not given["security"].arg.boolean.boolval and c.subject.direction == "up":
            yield c.found(
                f"{dotted(strings(c.node.func.objname))}() runs with the rights of whoever calls it from now on.",
                "SECURITY INVOKER takes its owner's rights from it.",
            )
        return
    public = any(enum(item.role_spec, "roletype") == "ROLESPEC_PUBLIC" for item in _grantees(c))
    if not c.node.is_grant:
        if not public and c.subject.direction == "up":
            yield c.found("Programs of these roles that still need the right fail.", "REVOKE takes effect at once.")
    elif public and c.statement.kind == "GrantStmt":
        yield c.found(
            "Every role of the server gets this right, also those that are made later.",
            "PUBLIC is everybody.",
            "-- Name the roles that need it.",
            settled=True,
        )


def _takes_away(node: Node) -> bool:
    """Whether an ALTER ROLE or ALTER GROUP has members, or the right to connect, taken away."""
    options = {item.def_elem.defname: item.def_elem.arg for item in node.options}
    login = options.get("canlogin")
    return ("rolemembers" in options and node.action < 0) or (login is not None and not login.boolean.boolval)


def _grantees(c: Context) -> list[Node]:
    return list(c.node.grantees) if c.statement.kind == "GrantStmt" else list(c.node.grantee_roles)


@rule(
    "LG747",
    "replica-identity",
    Severity.MEDIUM,
    "What replication sends, and identifies rows by",
    on=("AT_ReplicaIdentity", "AlterPublicationStmt", "DropStmt"),
    hazard="With NOTHING, UPDATE and DELETE fail on a published table (error 55000). With FULL each of them writes "
    "the whole old row to the WAL, and a subscriber without a fitting index reads the table for each row. What "
    "is no more in a publication is not sent: subscribers stay as they are, without an error.",
    instead="Use the primary key, or a unique index over NOT NULL columns.",
    rows=(77,),
    catalog="whether the table is published",
)
def replica_identity(c: Context) -> Iterator[Found]:
    if c.statement.kind != "AlterTableStmt":
        drops = c.statement.kind == "DropStmt" and enum(c.node, "remove_type") == "OBJECT_PUBLICATION"
        narrows = c.statement.kind == "AlterPublicationStmt" and enum(c.node, "action") in _NARROWS
        if (drops or narrows) and c.subject.direction == "up":
            yield c.found(
                "Subscribers do not get what is no more in the publication.",
                "Nothing tells them: their copies stay as they are.",
            )
        return
    identity = getattr(c.part, "def").replica_identity_stmt.identity_type
    if identity == "n":
        yield c.found(
            f"UPDATE and DELETE of {c.table} fail if it is published.",
            "REPLICA IDENTITY NOTHING says that nothing identifies a row.",
            severity=Severity.HIGH,
        )
    elif identity == "f":
        yield c.found(
            f"Each UPDATE and DELETE of {c.table} writes the whole old row to the WAL.",
            "REPLICA IDENTITY FULL identifies a row by all of its columns.",
        )


_NARROWS = frozenset({"AP_DropObjects", "AP_SetObjects"})


@rule(
    "LG748",
    "server-wide-setting",
    Severity.MEDIUM,
    "A setting that stays, for everybody",
    on=("AlterSystemStmt", "AlterDatabaseSetStmt", "AlterRoleSetStmt", "AlterExtensionStmt"),
    hazard="ALTER SYSTEM changes the whole server, ALTER DATABASE and ALTER ROLE ... SET each new session. An "
    "extension that is updated may change or drop what others use, and cannot be set back.",
    instead="Set what is needed with SET LOCAL, or change the server where its settings are kept. Try the update of an "
    "extension on a copy first.",
    rows=(80,),
)
def server_wide_setting(c: Context) -> Iterator[Found]:
    match c.statement.kind:
        case "AlterExtensionStmt":
            yield c.found(
                f"The update of {ident(c.node.extname)} may change what others use, and cannot be taken back.",
                "Its script runs whatever it likes, under the locks that it needs.",
            )
        case "AlterSystemStmt":
            yield c.found("The whole server gets this setting, all of its databases.", "ALTER SYSTEM is not undone.")
        case kind:
            what = "database" if kind == "AlterDatabaseSetStmt" else "role"
            name = c.node.setstmt.name
            if name in {"search_path", "default_transaction_read_only", "session_replication_role", "row_security"}:
                yield c.found(
                    f"Each new session of this {what} works with another {name}.",
                    "Programs may find other tables, or fail, from their next connection on.",
                )


RULES = (
    create_trigger,
    drop_trigger,
    create_rule,
    row_security_without_policy,
    row_security_off,
    revoke,
    replica_identity,
    server_wide_setting,
)
