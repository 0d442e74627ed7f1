"""Loads a plan: its document, the .sql files beside it, and everything that must fit together."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lockgate.errors import PlanError
from lockgate.plan.cross import cross_findings, named_steps
from lockgate.plan.digest import plan_digest
from lockgate.plan.document import Document, PathKey, ScalarNode, parse_document
from lockgate.plan.files import SqlFileError, SqlFiles, is_sql_path
from lockgate.plan.migrations import file_hashes
from lockgate.plan.models import Plan
from lockgate.plan.offsets import index_in_file
from lockgate.plan.problems import InvalidPlanError
from lockgate.plan.sentences import Finding, kind_findings, value_findings, without
from lockgate.plan.shape import PLAN, sql_texts
from lockgate.plan.steps import step_name
from lockgate.plan.values import is_identifier
from lockgate.suggest import did_you_mean
from lockgate.textfile import Problem, Source, decode

PLAN_FILE = "plan.yaml"
_Path = tuple[PathKey, ...]


@dataclass(frozen=True, slots=True)
class LoadedPlan:
    """A plan that can be run.

    :ivar plan: the plan with the SQL of .sql files in place, and an ``id`` on every ``sql`` and ``analyze`` step.
    :ivar folder: the plan's folder, as it was given.
    :ivar digest: SHA-256 over the canonical JSON of ``plan``, hexadecimal.
    :ivar files: path in the folder -> SHA-256 of the file's bytes, hexadecimal: ``plan.yaml``, every .sql file
        used, and every file of another migration tool that its steps apply.
    """

    plan: Plan
    folder: Path
    digest: str
    files: Mapping[str, str]
    _document: Document = field(repr=False)
    _sql: Mapping[_Path, Source] = field(repr=False)

    def where(self, *path: PathKey, offset: int | None = None) -> str:
        """``file:line:column`` of a value, such as ``where("phases", 0, "steps", 1, "select")``.

        :param offset: a character of a SQL text (or another text); its own place is given then.

        A value that the file does not hold, such as a default, is at the innermost one around it that it does.
        """
        if path in self._sql:
            return self._sql[path].where(offset or 0)
        node = self._document.nearest(path)
        source = self._document.source
        if offset is not None and isinstance(node, ScalarNode):
            return source.where(index_in_file(source.text, node, offset))
        return source.where(node.at)

    def step_id(self, phase_index: int, step_index: int) -> str:
        """The name of a step, unique in its phase."""
        return step_name(self.plan.phases[phase_index].steps[step_index])


def load_plan(path: Path) -> LoadedPlan:
    """Read the plan in a folder (or the ``plan.yaml`` itself).

    :raises PlanError: if there is no plan, or (``InvalidPlanError``) with all that is wrong with it.
    """
    file = _find(path)
    try:
        content = file.read_bytes()
    except OSError as error:
        raise PlanError("The plan cannot be read", where=str(file), why=error.strerror) from None
    text, problems = decode(PLAN_FILE, content)
    if problems:
        raise InvalidPlanError(problems)
    document = parse_document(PLAN_FILE, text)
    files = SqlFiles(file.parent)
    data, sql, found = _resolved(document, files)
    of_no_kind = list(kind_findings(document.data()))
    found += [*of_no_kind, *cross_findings(document.data())]
    plan: Plan | None = None
    try:
        # ``by_name=False``: the models call a key ``from_`` because Python must; in a plan that is an unknown key.
        plan = Plan.model_validate(data, strict=True, by_alias=True, by_name=False)
    except ValidationError as error:
        found += without(value_findings(error), of_no_kind)
    problems = [*document.problems, *files.problems, *_placed(found, document)]
    if problems or plan is None:
        raise InvalidPlanError(problems)
    hashes = {PLAN_FILE: hashlib.sha256(content).hexdigest(), **dict(sorted(files.hashes.items()))}
    migrations = file_hashes(plan, file.parent, lambda *path: document.source.where(document.nearest(path).at))
    return LoadedPlan(plan, file.parent, plan_digest(plan, migrations), {**hashes, **migrations}, document, sql)


def _resolved(document: Document, files: SqlFiles) -> tuple[Any, dict[_Path, Source], list[Finding]]:
    """The document's data with the SQL of files in place and every step named."""
    data = document.data()
    sql: dict[_Path, Source] = {}
    found: list[Finding] = []
    for path, text in list(sql_texts(PLAN, data)):
        if is_sql_path(text):
            try:
                sql[path] = files.read(text)
            except SqlFileError as refused:
                found.append(Finding(path, str(refused)))
            else:
                _put(data, path, sql[path].text or " ")
        elif spaced := files.spaced(text):
            found.append(Finding(path, spaced))
    for named in (*named_steps(document.data()), *named_steps(document.data(), "undo")):
        if named.derived and is_identifier(named.name):
            _put(data, (*named.path, "id"), named.name)
    return data, sql, found


def _put(data: Any, path: _Path, value: object) -> None:
    for key in path[:-1]:
        data = data[key]
    data[path[-1]] = value


def _placed(found: list[Finding], document: Document) -> list[Problem]:
    """The findings at their places, without those about what was reported already."""
    problems = []
    for finding in found:
        if document.broken(finding.path):
            continue
        index = document.key_index(finding.path) if finding.at_key else document.nearest(finding.path).at
        problems.append(document.source.problem(index, finding.what))
    return problems


def _find(path: Path) -> Path:
    """The plan's file.

    :raises PlanError: if it is not there, with what is there instead.
    """
    try:
        if path.is_dir():
            return _in_folder(path)
        if path.is_file() and path.name == PLAN_FILE:
            return path
        if path.exists():
            raise PlanError(
                f"A plan is a folder with a file {PLAN_FILE} in it", where=str(path), hint="Name the folder."
            )
        siblings = sorted(entry.name for entry in path.parent.iterdir()) if path.parent.is_dir() else []
    except OSError as error:
        raise PlanError("The plan cannot be read", where=str(path), why=error.strerror) from None
    raise PlanError("There is no such folder" + did_you_mean(path.name, siblings), where=str(path))


def _in_folder(folder: Path) -> Path:
    file = folder / PLAN_FILE
    if file.is_file():
        return file
    if file.exists():
        raise PlanError("The plan is not a file", where=str(file))
    inner = sorted(entry.parent.name for entry in folder.glob(f"*/{PLAN_FILE}"))
    hint = "`lockgate init` makes one."
    if (folder / "plan.yml").is_file():
        hint = f"Rename plan.yml to {PLAN_FILE}."
    elif inner:
        hint = "These folders in it are plans: " + ", ".join(inner)
    raise PlanError(f"There is no {PLAN_FILE} in this folder", where=str(folder), hint=hint)
