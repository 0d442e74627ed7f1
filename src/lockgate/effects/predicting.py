"""What a statement will do, from its text and what the catalog knows."""

from __future__ import annotations

from collections.abc import Callable

from lockgate.effects import altering, dropping, objects, rows
from lockgate.effects.gathering import Gathering
from lockgate.effects.known import Catalog
from lockgate.effects.model import Effects
from lockgate.sql.tree import Node, kind

NEWEST = 18

_KINDS: dict[str, Callable[[Gathering, Node], None]] = {
    "AlterDomainStmt": objects.alter_domain,
    "AlterObjectSchemaStmt": objects.set_schema,
    "AlterPolicyStmt": objects.policy,
    "AlterPublicationStmt": objects.publish,
    "AlterSeqStmt": objects.sequence,
    "AlterTableStmt": altering.alter,
    "CallStmt": objects.opaque,
    "ClusterStmt": objects.cluster,
    "CommentStmt": objects.comment,
    "CopyStmt": rows.copy,
    "CreateExtensionStmt": objects.opaque,
    "CreateFunctionStmt": objects.create_function,
    "CreatePolicyStmt": objects.policy,
    "CreatePublicationStmt": objects.publish,
    "CreateSeqStmt": objects.sequence,
    "CreateStatsStmt": objects.create_statistics,
    "CreateStmt": objects.create_table,
    "CreateTableAsStmt": objects.create_as,
    "CreateTrigStmt": objects.create_trigger,
    "DeleteStmt": rows.write,
    "DoStmt": objects.opaque,
    "DropOwnedStmt": objects.opaque,
    "DropStmt": dropping.drop,
    "ExecuteStmt": objects.opaque,
    "GrantStmt": objects.grant,
    "IndexStmt": objects.create_index,
    "InsertStmt": rows.write,
    "LockStmt": objects.lock,
    "MergeStmt": rows.write,
    "RefreshMatViewStmt": objects.refresh,
    "ReindexStmt": objects.reindex,
    "RenameStmt": objects.rename,
    "RuleStmt": objects.create_rule,
    "SelectStmt": rows.read_all,
    "TruncateStmt": dropping.truncate,
    "UpdateStmt": rows.write,
    "VacuumStmt": objects.vacuum,
    "ViewStmt": objects.create_view,
}


def predict(node: Node, catalog: Catalog | None = None, major: int = NEWEST) -> Effects:
    """What a statement does while it runs.

    :param node: the parser's message of its kind, such as ``IndexStmt``.
    :param catalog: what is there; without it, only what the text tells is told.
    :param major: of the server, 15 or later.
    """
    gathering = Gathering(catalog, major)
    _KINDS.get(kind(node), objects.nothing)(gathering, node)
    return gathering.effects()
