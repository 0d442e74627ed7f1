"""The kinds of steps: a kind is one module and one entry of ``REGISTRY``."""

from __future__ import annotations

from lockgate.plan.models import (
    AnalyzeStep,
    ArchiveStep,
    CloseStep,
    ConstraintStep,
    CopyStep,
    CutoverStep,
    DedupeStep,
    DropStep,
    IndexStep,
    MapStep,
    MeasureStep,
    MigrateStep,
    NormaliseStep,
    PartitionStep,
    RewriteStep,
    SqlStep,
    TransformStep,
)
from lockgate.steps import (
    analyze,
    archive,
    close,
    constraint,
    copy,
    cutover,
    dedupe,
    drop,
    filling,
    index,
    measure,
    migrate,
    normalise,
    partition,
    rewrite,
    sql,
)
from lockgate.steps.base import StepRunner

REGISTRY: dict[type, StepRunner] = {
    AnalyzeStep: analyze.Runner(),
    ArchiveStep: archive.Runner(),
    CloseStep: close.Runner(),
    ConstraintStep: constraint.Runner(),
    CopyStep: copy.Runner(),
    CutoverStep: cutover.Runner(),
    DedupeStep: dedupe.Runner(),
    DropStep: drop.Runner(),
    IndexStep: index.Runner(),
    MapStep: filling.Runner(),
    MeasureStep: measure.Runner(),
    MigrateStep: migrate.Runner(),
    NormaliseStep: normalise.Runner(),
    PartitionStep: partition.Runner(),
    RewriteStep: rewrite.Runner(),
    SqlStep: sql.Runner(),
    TransformStep: filling.Runner(),
}
