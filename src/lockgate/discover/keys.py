"""Which columns may be a key, by their names and by what they refer to."""

from __future__ import annotations

from dataclasses import dataclass

from lockgate.discover import names
from lockgate.discover.indexes import is_lookup
from lockgate.discover.profile import is_text
from lockgate.discover.references import named, type_name
from lockgate.discover.survey import Survey, Table
from lockgate.safety.records import Column
from lockgate.sql.words import holds

_SINGLE_TYPES = frozenset({"int2", "int4", "int8", "uuid", "numeric"})
_TIMES = frozenset({"timestamp", "timestamptz", "date"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """Columns that may be a key.

    :param child: one says whose row it is, and the other which of its rows.
    :param link: both refer to other tables.
    :param folds: whether texts that differ in case only are the same.
    """

    columns: tuple[Column, ...]
    child: bool = False
    link: bool = False
    folds: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """Of its columns."""
        return tuple(column.name for column in self.columns)


def candidates(survey: Survey, table: Table) -> list[Candidate]:
    """The sets of columns that may be keys, the likeliest first; those that an index keeps are none."""
    referring = {column.name: stem for column in table.columns if (stem := _refers(survey, table, column))}
    owner = names.belongs_to(table.name, referring.values())
    if owner is None and names.lists_values(table.name):
        owner = next(iter(referring.values()), None)
    own_key = survey.facts.primary_key(table.relation.oid)
    in_key = set(own_key.sorted_by) if own_key is not None else set()
    plain = [column for column in table.columns if column.name not in referring and column.number not in in_key]
    fitting = [column for column in plain if is_text(survey, column) or type_name(survey, column) in _SINGLE_TYPES]
    alone = [column for column in fitting if names.is_key(column.name, table.name)]
    beside = [column for column in fitting if names.is_value_of_child(column.name)]
    beside += [column for column in plain if type_name(survey, column) in _TIMES and names.is_slot(column.name)]
    owners = [column for column in table.columns if column.name in referring and column.number not in in_key]
    owners.sort(key=lambda column: referring[column.name] != owner)
    wanted: list[Candidate] = []
    if owner is not None:
        whose = owners[:1]
        wanted += [Candidate((one, value), child=True) for one in whose for value in beside]
        wanted += [Candidate((one, other), child=True, link=True) for one in whose for other in owners[1:]]
    else:
        wanted += [Candidate((column,)) for column in alone]
    tenants = [column for column in owners if names.is_tenant(referring[column.name])]
    wanted += [Candidate((one, value), child=True) for one in tenants for value in alone]
    if owner is None:
        of_time = [column for column in beside if column not in fitting]
        wanted += [Candidate((one, value), child=True) for one in owners[:2] for value in [*alone, *of_time]]
        wanted += [Candidate((one, two), link=True) for at, one in enumerate(owners) for two in owners[at + 1 :]]
    return [each for each in dict.fromkeys(wanted) if not _is_kept(survey, table, each)]


def _refers(survey: Survey, table: Table, column: Column) -> str | None:
    """What a column refers to: by its foreign key, else by its name if there is such a table."""
    for each in survey.facts.constraints_of(table.relation.oid):
        if each.type == "f" and each.columns == (column.number,) and each.referenced in survey.facts.relations:
            if is_lookup(survey, each.referenced):
                return None
            stem = names.referred(column.name)
            parent = names.one_of(survey.facts.relations[each.referenced].name)
            return parent if stem is None or not names.is_tenant(stem) else stem
    stem = names.referred(column.name)
    if stem is None or names.of_another_system(stem):
        return None
    if names.is_tenant(stem) or any(guess.exactly for guess in named(survey, table, column)):
        return stem
    return None


def _is_kept(survey: Survey, table: Table, candidate: Candidate) -> bool:
    """Whether a unique index is about these columns, with others or without: then it says what the key is."""
    mine = {column.number for column in candidate.columns}
    for index in survey.facts.indexes_of(table.relation.oid):
        if not index.unique or not index.valid:
            continue
        keys = set(index.sorted_by)
        if mine <= keys or (keys - {0} and keys <= mine):
            return True
        if 0 in keys and index.expressions and any(_speaks_of(index.expressions, name) for name in candidate.names):
            return True
    return False


def _speaks_of(expression: str, name: str) -> bool:
    return holds(expression, name)
