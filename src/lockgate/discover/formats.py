"""Formats that texts of a column may have, as conditions of SQL, and which names suggest which.

A format is evident where most values have it. That the name suggests it lowers how many that must be.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from psycopg import sql

from lockgate.discover.names import plain

# fmt: off
UF = (
    "AC", "AL", "AP", "AM", "BA", "CE", "DF", "ES", "GO", "MA", "MT", "MS", "MG", "PA", "PB", "PR", "PE",
    "PI", "RJ", "RN", "RS", "RO", "RR", "SC", "SP", "SE", "TO",
)
# fmt: on
# fmt: off
_US = (
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DE", "DC", "FL", "GA", "HI", "ID", "IL", "IN", "IA", "KS",
    "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM", "NY", "NC",
    "ND", "OH", "OK", "OR", "PA", "PR", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA", "WV", "WI",
    "WY",
)
# fmt: on
# A day that its month has; only of 29 February the year is not asked.
_DAY = r"[0-9]{4}-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))"
_DAY_FIRST = (
    r"((0[1-9]|[12][0-9]|3[01])/(0[13578]|1[02])|(0[1-9]|[12][0-9]|30)/(0[469]|11)|(0[1-9]|[12][0-9])/02)/[0-9]{4}"
)
_TIME = r"[ T]([01][0-9]|2[0-3]):[0-5][0-9](:[0-5][0-9](\.[0-9]+)?)?( ?(Z|[+-][0-9]{2}(:?[0-9]{2})?))?"


@dataclass(frozen=True, slots=True)
class Format:
    """A format of texts.

    :param said: what a value is, for people.
    :param pattern: a regular expression of the server that whole values match; ``listed``: all values there are.
    :param digits: of each number of digits the weights of those before each check digit, which they tell modulo 11.
    :param names: what the name of the column must be; None for any name.
    :param share: how many of the values must have it, of 1, so that it is evident.
    :param rival: of the same rank as the format before it: of the two the one that more values have is evident.
    :param instead: the type that such values would have better, if any.
    """

    name: str
    said: str
    pattern: str = ""
    listed: tuple[str, ...] = ()
    digits: tuple[tuple[tuple[int, ...], ...], ...] = ()
    names: re.Pattern[str] | None = None
    share: float = 0.7
    rival: bool = False
    instead: str = ""

    def holds(self, column: sql.Composable) -> sql.Composable:
        """The condition that a text has it."""
        if self.listed:
            return sql.SQL("{} = ANY ({}::text[])").format(column, sql.Literal(list(self.listed)))
        matches = sql.SQL("{} ~ {}").format(column, sql.Literal(f"^({self.pattern})$"))
        # A long text has none of these formats, and is not fetched from where it is kept.
        return sql.SQL("CASE WHEN octet_length({}) > {} THEN false WHEN {} THEN {} ELSE false END").format(
            column, _LONGEST, matches, _checked(column, self.digits) if self.digits else sql.SQL("true")
        )

    def check(self, column: str) -> str:
        """The condition as a CHECK has it; of check digits only the form, for they make the check slow to read.

        :param column: as SQL writes it.
        """
        if self.listed:
            return f"{column} IN ({', '.join(repr(value) for value in self.listed)})"
        return f"{column} ~ '^({self.pattern})$'"


def _checked(column: sql.Composable, known: tuple[tuple[tuple[int, ...], ...], ...]) -> sql.Composable:
    """Whether the last digits are those that the ones before them ask for. Others than digits do not count."""
    cases = []
    for weights in known:
        conditions = ["d <> repeat(left(d, 1), length(d))"]
        for each in weights:
            total = " + ".join(f"(ascii(substr(d, {at}, 1)) - 48) * {weight}" for at, weight in enumerate(each, 1))
            conditions.append(f"({total}) * 10 % 11 % 10 = ascii(substr(d, {len(each) + 1}, 1)) - 48")
        cases.append(f"WHEN {len(weights[-1]) + 1} THEN {' AND '.join(conditions)}")
    # OFFSET keeps the server from taking the digits out anew for each of them.
    return sql.SQL(
        "(SELECT CASE length(d) {} END FROM (SELECT regexp_replace({}, '[^0-9]', '', 'g') AS d OFFSET 0) AS taken)"
    ).format(sql.SQL(" ".join(cases)), column)


def _named(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"(?:.*_)?(?:{pattern})")


_CPF = (tuple(range(10, 1, -1)), tuple(range(11, 1, -1)))
_CNPJ = ((5, 4, 3, 2, *range(9, 1, -1)), (6, 5, 4, 3, 2, *range(9, 1, -1)))
_ZIP = _named("zip(?:_?code)?|postal_?code|post_?code|cep")
_STATE = _named("state|uf|estado|province|state_code|sigla")
_CPF_NAME = _named("cpf")
_CNPJ_NAME = _named("cnpj")
_EITHER = _named("cpf_?cnpj|cnpj_?cpf|national_id|tax_id|document(?:_number|_no)?|documento|doc(?:_number)?|fiscal_id")
_PHONE = _named(
    "(?:phone|telephone|telefone|mobile|cell|cell_?phone|celular|whatsapp|fax|tel)"
    "(?:_?number|_no|_num|_e164|_normali[sz]ed|_raw|_?[0-9])?"
)
_DATE = _named("date|dt|dob|birth|birth_?day|birth_?date|day|nascimento|on|at")
_NUMBER = _named("price|amount|total|subtotal|quantity|qty|valor|cost|weight|balance|salary|score|rate")
_LONGEST = 300  # bytes
_NOTHING = r"(?!)"
_DIGEST = re.compile(r"(?:.*_)?(?:hash|sha1|sha256|sha_?256|md5|checksum|digest|fingerprint)")

FORMATS = (
    Format(
        "email",
        "an e-mail address",
        r"[^@\s,;<>]+@([^@\s,;<>.]+\.)+[^@\s,;<>.]{2,}",
        names=_named("e_?mail(?:_address)?"),
    ),
    Format("cep", "8 digits", r"[0-9]{8}", names=_ZIP, share=0.8),
    Format("cep-dash", "a CEP such as 01310-100", r"[0-9]{5}-[0-9]{3}", names=_ZIP, share=0.8),
    Format("zip", "5 digits, or 5 and 4", r"[0-9]{5}(-[0-9]{4})?", names=_ZIP, share=0.8),
    Format("uf", "one of the 27 states of Brazil, two upper-case letters", listed=UF, names=_STATE, share=0.8),
    Format("us-state", "a state of the USA, two upper-case letters", listed=_US, names=_STATE, rival=True),
    Format("country-2", "two upper-case letters", r"[A-Z]{2}", names=_named("country(?:_code)?|pais"), share=0.85),
    Format("country-3", "three upper-case letters", r"[A-Z]{3}", names=_named("country(?:_code)?|pais"), share=0.85),
    Format("currency", "three upper-case letters", r"[A-Z]{3}", names=_named("currency(?:_code)?|moeda"), share=0.85),
    Format("cpf", "a CPF: 11 digits with the right check digits", r"[0-9]{11}", digits=(_CPF,), names=_CPF_NAME),
    Format(
        "cpf-dots",
        "a CPF such as 529.982.247-25, with the right check digits",
        r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}",
        digits=(_CPF,),
        names=_CPF_NAME,
        rival=True,
    ),
    Format("digits-11", "11 digits", r"[0-9]{11}", names=_CPF_NAME, share=0.85),
    Format("cnpj", "a CNPJ: 14 digits with the right check digits", r"[0-9]{14}", digits=(_CNPJ,), names=_CNPJ_NAME),
    Format(
        "cnpj-dots",
        "a CNPJ such as 11.222.333/0001-81, with the right check digits",
        r"[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}",
        digits=(_CNPJ,),
        names=_CNPJ_NAME,
        rival=True,
    ),
    Format("digits-14", "14 digits", r"[0-9]{14}", names=_CNPJ_NAME, share=0.85),
    Format(
        "cpf-cnpj",
        "a CPF or CNPJ: 11 or 14 digits with the right check digits",
        r"[0-9]{11}|[0-9]{14}",
        digits=(_CPF, _CNPJ),
        names=_EITHER,
    ),
    Format(
        "cpf-cnpj-dots",
        "a CPF or CNPJ with its dots and the right check digits",
        r"[0-9]{3}\.[0-9]{3}\.[0-9]{3}-[0-9]{2}|[0-9]{2}\.[0-9]{3}\.[0-9]{3}/[0-9]{4}-[0-9]{2}",
        digits=(_CPF, _CNPJ),
        names=_EITHER,
        rival=True,
    ),
    Format("digits-11-14", "11 digits, or 14", r"[0-9]{11}|[0-9]{14}", names=_EITHER, share=0.85),
    Format(
        "ssn", "a number such as 123-45-6789", r"[0-9]{3}-[0-9]{2}-[0-9]{4}", names=_named("ssn|social_security_number")
    ),
    Format("e164", "a number in E.164, such as +5511987654321", r"\+[1-9][0-9]{7,14}", names=_PHONE, share=0.85),
    Format("phone-digits", "8 to 15 digits", r"[0-9]{8,15}", names=_PHONE, share=0.85, rival=True),
    Format(
        "phone",
        "a telephone number: 7 to 15 digits with what one writes between them",
        r"\+?([ ().\-/]*[0-9]){7,15}[ )]*( ?(x|ext\.?|ramal) ?[0-9]+)?",
        names=_PHONE,
    ),
    Format(
        "url",
        "an address that begins with http:// or https://",
        r"https?://\S+",
        names=_named("url|uri|website|web_?site|home_?page|link|href"),
        share=0.8,
    ),
    Format(
        "ip",
        "an address of the Internet",
        r"([0-9]{1,3}\.){3}[0-9]{1,3}|[0-9a-fA-F:]*:[0-9a-fA-F:.]+",
        names=_named("ip|ip_?addr(?:ess)?"),
        share=0.9,
        instead="inet",
    ),
    Format("sha256", "64 hexadecimal digits", r"[0-9a-f]{64}", names=_DIGEST, share=0.9),
    Format("sha1", "40 hexadecimal digits", r"[0-9a-f]{40}", names=_DIGEST, share=0.9, rival=True),
    Format("md5", "32 hexadecimal digits", r"[0-9a-f]{32}", names=_DIGEST, share=0.9, rival=True),
    Format("date", "a date such as 2024-02-29", _DAY, names=_DATE, instead="date"),
    Format(
        "date-slash",
        "a date such as 29/02/2024",
        _DAY_FIRST,
        names=_DATE,
        rival=True,
        instead="date",
    ),
    Format("time", "a date with a time", f"{_DAY}{_TIME}", names=_DATE, rival=True, instead="timestamptz"),
    Format("number", "a number", r"-?[0-9]+(\.[0-9]+)?", names=_NUMBER, share=0.8, instead="numeric"),
    Format("uuid", "a UUID", r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", share=0.9, instead="uuid"),
    Format("any-date", "a date such as 2024-02-29", _DAY, share=0.95, instead="date"),
    Format("any-time", "a date with a time", f"{_DAY}{_TIME}", share=0.95, instead="timestamptz"),
)

BLANK = Format("blank", "nothing", names=re.compile(_NOTHING))
"""An empty text, where nothing was given: Django's way, and that of columns that are padded. It breaks no format."""


def suggested(column: str) -> Iterator[Format]:
    """The formats that a column of this name may have: those of its name first."""
    name = plain(column)
    yield from (each for each in FORMATS if each.names is not None and each.names.fullmatch(name))
    yield from (each for each in FORMATS if each.names is None)


def evident(counts: dict[Format, int], of: int) -> Format | None:
    """The format that the values evidently have, of those that were counted.

    :param counts: format -> how many values have it, in the order of ``suggested``.
    :param of: how many values there are.
    """
    best: Format | None = None
    for each, count in counts.items():
        if best is not None and not each.rival:
            break
        if count >= each.share * of and (best is None or count > counts[best]):
            best = each
    return best
