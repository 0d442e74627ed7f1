"""The normalisers by the names that plans give them."""

from __future__ import annotations

from lockgate.normalising import brazil, emails, texts
from lockgate.normalising.base import Normaliser

PLAIN: dict[str, Normaliser] = {
    "cep": brazil.cep,
    "uf": brazil.uf,
    "cpf": brazil.cpf,
    "cnpj": brazil.cnpj,
    "email": emails.email,
    "whitespace": texts.whitespace,
    "lower": texts.lower,
    "upper": texts.upper,
}
REGIONAL = "e164"
NAMES = (REGIONAL, *PLAIN)


def find(name: str, region: str | None) -> Normaliser:
    """:raises PlanError: for a region that is not known.
    :raises UsageError: if a package that it needs is not installed.
    """
    if name != REGIONAL:
        return PLAIN[name]
    from lockgate.normalising.phones import E164

    assert region is not None, "the plan's model asks for it"
    return E164(region)
