"""Mappings: one SELECT over the old model, and what is derived from it.

``analysis`` understands and checks the SELECT, ``install`` and ``changelog`` put its logs into the database,
``backfill`` copies, ``applier`` keeps in step, ``reconcile`` and ``accounting`` prove, ``removal`` takes back.
"""
