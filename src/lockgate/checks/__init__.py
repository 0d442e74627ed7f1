"""The kinds of checks: a kind is one module and one entry of ``REGISTRY``."""

from __future__ import annotations

from lockgate.checks import explain, objects, query, reconcile
from lockgate.checks.base import CheckRunner
from lockgate.plan.models import ExplainCheck, ObjectsCheck, QueryCheck, ReconcileCheck

REGISTRY: dict[type, CheckRunner] = {
    ExplainCheck: explain.Runner(),
    ObjectsCheck: objects.Runner(),
    QueryCheck: query.Runner(),
    ReconcileCheck: reconcile.Runner(),
}
