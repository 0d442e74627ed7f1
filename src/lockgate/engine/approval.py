"""Approvals: who said that this plan may run on this schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from psycopg import Connection

from lockgate.catalog import document
from lockgate.catalog.differences import differences
from lockgate.catalog.document import Document
from lockgate.engine import pins
from lockgate.engine.phases import PhaseState, states
from lockgate.errors import UsageError
from lockgate.ledger import chain, schemas, store
from lockgate.plan.models import ApprovalGate, Phase
from lockgate.suggest import nearest

if TYPE_CHECKING:
    from lockgate.engine.session import Sessions
    from lockgate.plan.load import LoadedPlan

_SHOWN = 5  # more differences than this are counted instead


@dataclass(frozen=True, slots=True)
class Given:
    """One approval in the ledger.

    :param digest: of the plan that was approved.
    :param fingerprint: of the schema it was approved for.
    """

    by: str
    at: datetime
    digest: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Approved:
    """What an approval came to: ``count`` of ``needed`` people approve the same plan and schema."""

    phase: str
    by: str
    count: int
    needed: int
    digest: str
    fingerprint: str


def given(conn: Connection[Any], plan: str, phase: str) -> list[Given]:
    """The approvals of a phase since it was last undone, each person's latest, oldest first."""
    latest: dict[str, Given] = {}
    for entry in chain.entries(conn, plan, kinds=["approval", "undo"], phase=phase):
        if entry.kind == "undo":
            latest.clear()
            continue
        said = entry.payload
        latest.pop(said["by"], None)
        latest[said["by"]] = Given(said["by"], entry.at, said["digest"], said["fingerprint"])
    return list(latest.values())


def approve(
    loaded: LoadedPlan, sessions: Sessions, phase: str, by: str, findings: Sequence[Mapping[str, str]] = ()
) -> Approved:
    """Approve that ``phase`` of this plan may start on the schema as it is now.

    :param by: who says so, as it shall stand in the report.
    :param findings: the hazards that were shown to them.
    :raises UsageError: if there is nothing to approve.
    :raises PlanChanged: if the plan is not what was done so far.
    """
    wanted = _phase(loaded, phase)
    needed = max((gate.approval.by for gate in wanted.before if isinstance(gate, ApprovalGate)), default=0)
    if not needed:
        raise UsageError(f"Phase {phase} asks for no approval", where=f"{loaded.folder}/plan.yaml")
    with sessions.open("approve") as conn:
        store.install(conn)
        _refuse_untimely(conn, loaded, wanted)
        pins.refuse_changes(conn, loaded)
        schema = present_schema(conn)
        payload = {
            "by": by,
            "digest": loaded.digest,
            "fingerprint": schema.digest,
            "role": conn.info.user,
            "findings": list(findings),
        }
        with conn.transaction():
            schemas.keep(conn, schema.digest, schema.to_json())
            chain.append(conn, kind="approval", plan=loaded.plan.plan, phase=phase, payload=payload)
        same = [
            item
            for item in given(conn, loaded.plan.plan, phase)
            if (item.digest, item.fingerprint) == (loaded.digest, schema.digest)
        ]
    return Approved(phase, by, len(same), needed, loaded.digest, schema.digest)


def present_schema(conn: Connection[Any]) -> Document:
    """What an approval is for: the schema without the partitions, which come and go by the clock."""
    return document.read(conn, passing=False)


def changed_since(conn: Connection[Any], fingerprint: str, now: Document) -> str:
    """In what the schema is not the one that something was decided for: ``": ..."``; empty if that was not kept."""
    kept = schemas.find(conn, fingerprint)
    found = [str(each) for each in differences(Document.from_json(kept), now)] if kept is not None else []
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f": {'; '.join(found[:_SHOWN])}{more}" if found else ""


def _phase(loaded: LoadedPlan, name: str) -> Phase:
    by_name = {phase.id: phase for phase in loaded.plan.phases}
    if name not in by_name:
        close = nearest(name, list(by_name))
        raise UsageError(
            f"There is no phase {name}",
            where=f"{loaded.folder}/plan.yaml",
            hint=f"Did you mean {close}?" if close else f"The phases are {', '.join(by_name)}.",
        )
    return by_name[name]


def _refuse_untimely(conn: Connection[Any], loaded: LoadedPlan, wanted: Phase) -> None:
    known = states(conn, loaded.plan.plan)
    if known.get(wanted.id) is PhaseState.DONE:
        raise UsageError(f"Phase {wanted.id} is done; there is nothing to approve")
    for phase in loaded.plan.phases:
        if phase.id == wanted.id:
            return
        if known.get(phase.id) is not PhaseState.DONE:
            raise UsageError(
                f"Phase {wanted.id} cannot be approved yet",
                why=f"Phase {phase.id} comes before it and is not done; it changes the schema that is approved.",
                hint=f"Run `lockgate apply --to {phase.id}` first.",
            )
