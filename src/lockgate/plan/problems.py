"""What is wrong with a plan: every problem of its files is found before one error names them all."""

from __future__ import annotations

from collections.abc import Iterable

from lockgate.errors import PlanError
from lockgate.textfile import Problem


class InvalidPlanError(PlanError):
    """The plan's files have problems; ``problems`` holds every one, in the order of the files' lines."""

    def __init__(self, problems: Iterable[Problem], *, hint: str | None = None) -> None:
        self.problems = tuple(sorted(set(problems), key=_plan_file_first))
        if len(self.problems) == 1:
            super().__init__(self.problems[0].what, where=self.problems[0].where, hint=hint)
        else:
            lines = "".join(f"\n{problem}" for problem in self.problems)
            super().__init__(f"The plan has {len(self.problems)} problems:{lines}", hint=hint)


def _plan_file_first(problem: Problem) -> tuple[bool, Problem]:
    return problem.file.endswith(".sql"), problem
