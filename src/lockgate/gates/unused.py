"""Gate ``unused``: nobody has used tables for some time, nothing depends on them, and no code names them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lockgate.archive import oldname
from lockgate.archive.oldname import Left
from lockgate.catalog.dependents import Dependent, dependents
from lockgate.engine.address import redact
from lockgate.engine.evidence import Evidence
from lockgate.engine.masking import mask
from lockgate.gates import watching
from lockgate.gates.base import GateContext, GateResult, Refusal
from lockgate.gates.watching import Watched
from lockgate.plan.models import UnusedGate, format_duration
from lockgate.usage.code import Mention, mentions, unreadable
from lockgate.usage.who import Known, Naming, known
from lockgate.usage.window import READS, WRITES

_LONGEST = 100  # characters of a statement


@dataclass(frozen=True, slots=True)
class _Found:
    """All that was looked at.

    :param ways_in: by the number of a table, the view that an archive step left at its old name: who uses that is
        counted at the table.
    :param unread: folders of the gate that are not there or cannot be read.
    """

    watched: Watched
    who: Known
    ways_in: dict[int, Left]
    depending: tuple[Dependent, ...]
    code: tuple[Mention, ...]
    unread: tuple[str, ...]
    blind: tuple[str, ...]


class Runner:
    """Compares the counters with those of the samples, and looks who could still come."""

    def evaluate(self, ctx: GateContext) -> GateResult:
        """Refused with all that was found; waits when nothing was and only the time is too short."""
        asked = ctx.gate.unused
        watched = watching.watch(ctx, asked.tables, asked.for_, READS + WRITES, asked.replicas)
        refused = watching.unknown(watched, str(ctx.loaded.folder))
        if refused:
            return refused
        found = _look(ctx, watched)
        objections = [redact(objection) for objection in _objections(found)]
        passed = not objections and watching.has_passed(watched)
        evidence = (
            *watching.evidence(watched, "unused", passed, found.blind),
            _others(ctx, found, passed),
        )
        if objections:
            return GateResult(
                False,
                f"still used: {'; '.join(objections)}{watching.own_words(watched)}",
                Refusal.REFUSED,
                hint="Change what uses the tables, or name in `allow` what may go on depending on them; "
                f"without another use the time is over at {watching.at(watched.ready_at)}.",
                evidence=evidence,
            )
        if not passed:
            return watching.waiting(watched, "that nobody uses the tables", evidence)
        count = sum(table.counted for table in watched.tables)
        return GateResult(
            True,
            f"{count} table{'' if count == 1 else 's'} not used for {format_duration(asked.for_)}"
            f"{watching.own_words(watched)}{_ways(found.ways_in.values())}; "
            f"not looked at: {watching.listed(found.blind)}",
            evidence=evidence,
        )

    def describe(self, gate: UnusedGate) -> str:
        """The tables and the time."""
        return f"nobody uses {', '.join(gate.unused.tables)} for {format_duration(gate.unused.for_)}"


def _look(ctx: GateContext, watched: Watched) -> _Found:
    asked = ctx.gate.unused
    names = list(dict.fromkeys(table.name for table in watched.tables))
    who = known(ctx.conn, names, len(asked.replicas))
    oids = [table.oid for table in watched.tables]
    hanging = dependents(ctx.conn, oids)
    left = [view for view in oldname.left(ctx.conn, oids) if view.now is not None and view.untouched]
    ours = {title for view in left for title in (view.title, *view.functions)}
    code: list[Mention] = []
    blind = [*watching.uncounted(watched, "use"), *who.not_looked_at, *hanging.not_looked_at]
    unread = []
    for shown in asked.code:
        folder = ctx.loaded.folder / shown
        why = unreadable(folder)
        if why:
            unread.append(f"{shown}: {why}")
            continue
        told, unseen = mentions(folder, shown, names, ctx.loaded.folder)
        code += told
        blind += unseen
    blind += [f"use of {view.label}, which the new model answers" for view in left if view.of_model]
    depending = tuple(
        one
        for one in hanging.found
        if not one.is_part and one.name not in asked.allow and f"{one.kind} {one.name}" not in ours
    )
    ways_in = {view.relid: view for view in left if not view.of_model}
    return _Found(watched, who, ways_in, depending, tuple(code), tuple(unread), tuple(map(redact, (*blind, *unread))))


def _objections(found: _Found) -> list[str]:
    """What is in the way, one line for each kind."""
    said = []
    tables = {table.label: table for table in found.watched.tables}
    for name, hit in found.watched.hits:
        table = tables.get(name)  # None on a replica: others are at work there
        who = [_naming(one) for one in found.who.by.get(table.name, ())] if table else []
        way = found.ways_in.get(table.oid) if table else None
        through = f", maybe through {way.title}, which was left at its old name" if way else ""
        said.append(watching.hit_words(name, hit) + through + (f", maybe by {watching.listed(who)}" if who else ""))
    if found.watched.unreached:
        unread = [f"{node}: {why}" for node, why in found.watched.unreached.items()]
        said.append(f"replicas that could not be looked at: {watching.listed(unread)}")
    if found.depending:
        words = [f"{one.kind} {one.name} {one.how}{' (by text)' if one.by_text else ''}" for one in found.depending]
        said.append(f"there depend on it: {watching.listed(words)}")
    if found.code:
        said.append(f"code names it: {watching.listed([f'{one} ({one.name})' for one in found.code])}")
    if found.unread:
        said.append(f"code that could not be read: {watching.listed(found.unread)}")
    return said


def _ways(ways_in: Iterable[Left]) -> str:
    """The views by which anybody still can read the tables; to be put behind a sentence."""
    titles = [view.title for view in ways_in]
    return f"; a way in that is left: {watching.listed(titles)}" if titles else ""


def _naming(one: Naming) -> str:
    """Who it was, and the statement without any value."""
    application = f" ({one.application})" if one.application else ""
    who = f"{'session' if one.statement is None else 'statement'} of {one.role or '?'}{application}"
    return redact(who if one.statement is None else f"{who}: {mask(one.statement, _LONGEST)}")


def _others(ctx: GateContext, found: _Found, passed: bool) -> Evidence:
    """What hangs on the tables, and where else their names stand."""
    return Evidence(
        "unused:elsewhere",
        "pg_depend, the texts of functions, pg_stat_activity, pg_stat_statements, and the files in "
        + (", ".join(ctx.gate.unused.code) or "no folder"),
        {
            "dependents": [
                {"kind": one.kind, "name": one.name, "how": one.how, "by_text": one.by_text} for one in found.depending
            ],
            "ways_in": [view.title for view in found.ways_in.values()],
            "allowed": list(ctx.gate.unused.allow),
            "code": [str(one) for one in found.code],
            "statements": {name: [_naming(one) for one in by] for name, by in found.who.by.items() if by},
            "not_looked_at": list(found.blind),
            "passed": passed,
        },
    )
