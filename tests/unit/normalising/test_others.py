"""CEP, UF, CPF, CNPJ, e-mail, white space and case: the normal form, or the reason why there is none."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lockgate.normalising import registry
from lockgate.normalising.base import Unfit
from lockgate.plan.normalising import As


@pytest.mark.parametrize(
    ("name", "value", "made"),
    [
        ("cep", "01310-100", "01310100"),
        ("cep", " 01.310-100 ", "01310100"),
        ("cep", "1310100", Unfit.TOO_SHORT),
        ("cep", "013101000", Unfit.TOO_LONG),
        ("cep", "00000-000", Unfit.INVALID),
        ("cep", "O1310100", Unfit.LETTERS),
        ("cep", "01310#100", Unfit.INVALID),
        ("cep", " - ", Unfit.EMPTY),
        ("uf", " sp ", "SP"),
        ("uf", "São  Paulo", "SP"),
        ("uf", "SAO PAULO", "SP"),
        ("uf", "Rio Grande", Unfit.UNKNOWN),
        ("uf", "XX", Unfit.UNKNOWN),
        ("uf", "", Unfit.EMPTY),
        ("cpf", "529.982.247-25", "52998224725"),
        ("cpf", "52998224725", "52998224725"),
        ("cpf", "529.982.247-52", Unfit.CHECK_DIGITS),
        ("cpf", "111.111.111-11", Unfit.INVALID),
        ("cpf", "2998224725", Unfit.TOO_SHORT),
        ("cnpj", "11.222.333/0001-81", "11222333000181"),
        ("cnpj", "11.222.333/0001-18", Unfit.CHECK_DIGITS),
        ("cnpj", "12.abc.345/01de-35", "12ABC34501DE35"),  # the tax office's own example of one with letters
        ("cnpj", "12ABC34501DEAB", Unfit.LETTERS),
        ("cnpj", "00000000000000", Unfit.INVALID),
        ("cnpj", "1122233300018", Unfit.TOO_SHORT),
        ("cnpj", "112223330001811", Unfit.TOO_LONG),
        ("cnpj", "11.222.333/0001_81", Unfit.INVALID),
        ("cnpj", "", Unfit.EMPTY),
        ("email", " Ana.Lima@Example.ORG\n", "ana.lima@example.org"),
        ("email", "josé@exämple.com.br", "josé@exämple.com.br"),
        ("email", "", Unfit.EMPTY),
        ("email", "ana", Unfit.INVALID),
        ("email", "ana@localhost", Unfit.INVALID),
        ("email", "ana@10.0.0.1", Unfit.INVALID),
        ("email", "a..b@c.de", Unfit.INVALID),
        ("email", "a@-c.de", Unfit.INVALID),
        ("email", "Ana <ana@c.de>", Unfit.INVALID),
        ("email", "a@b.de; c@d.de", Unfit.SEVERAL),
        ("email", "a@b@c.de", Unfit.INVALID),
        ("email", f"{'a' * 65}@c.de", Unfit.TOO_LONG),
        ("email", f"{'a' * 64}@{'b' * 63}.{'b' * 63}.{'b' * 58}.de", f"{'a' * 64}@{'b' * 63}.{'b' * 63}.{'b' * 58}.de"),
        ("email", f"{'a' * 64}@{'b' * 63}.{'b' * 63}.{'b' * 59}.de", Unfit.TOO_LONG),
        ("whitespace", "  Ana \t Lima\n", "Ana Lima"),
        ("whitespace", " ", ""),
        ("lower", "ÀB", "àb"),
        ("upper", "àb", "ÀB"),
    ],
)
def test_each_value_has_its_normal_form_or_a_reason(name: str, value: str, made: str | Unfit) -> None:
    assert registry.find(name, None)(value) == made


@pytest.mark.parametrize("name", registry.PLAIN)
@given(value=st.one_of(st.text(), st.text(alphabet="0123456789-./ abS\u00e3@ß\u0149\u0130Σ")))
def test_applied_twice_it_changes_nothing(name: str, value: str) -> None:
    normalise = registry.find(name, None)
    made = normalise(value)
    assert isinstance(made, Unfit) or normalise(made) == made


@given(st.integers(0, 10**9 - 1))
def test_a_cpf_has_one_pair_of_check_digits(number: int) -> None:
    cpf = registry.find("cpf", None)
    fit = [end for end in range(100) if isinstance(cpf(f"{number:09d}{end:02d}"), str)]
    assert len(fit) == (0 if len(set(f"{number:09d}")) == 1 and fit == [] else 1)


@given(st.text(alphabet="0123456789ABCXYZ", min_size=12, max_size=12))
def test_a_cnpj_has_one_pair_of_check_digits(start: str) -> None:
    cnpj = registry.find("cnpj", None)
    fit = [end for end in range(100) if isinstance(cnpj(f"{start}{end:02d}"), str)]
    assert len(fit) == (0 if start == "0" * 12 else 1)


def test_the_plan_knows_each_of_them() -> None:
    assert get_args(As) == registry.NAMES
