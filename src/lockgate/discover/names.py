"""What names of tables and columns suggest. A suggestion alone is no finding: the values decide."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W\d_A-Z]+|\d+")
_ENDS = ("ies", "y"), ("sses", "ss"), ("xes", "x"), ("ches", "ch"), ("shes", "sh"), ("uses", "us")
_ODD = {"people": "person", "children": "child", "men": "man", "women": "woman", "statuses": "status", "data": "data"}
_NO_PLURAL = ("ss", "us", "is")

_IDENTITY = (
    r"e_?mail(_address)?|(national|tax|fiscal|vat|passport|licen[cs]e|registration|document|identity|social_security|"
    r"account|serial|order|invoice|contract|policy|ticket|tracking|receipt|certificate|protocol|medical_record|record|"
    r"membership|member|employee|student|patient|customer|card|booking|reservation|case|batch|lot|po|purchase_order|"
    r"quote|shipment)_?(id_number|number|no|num|code|key)|national_id|tax_id|vat_id|fiscal_id|passport|ssn|cpf|cnpj|"
    r"cpf_?cnpj|rg|crm|mrn|iban|nif|nie|dni|curp|rfc|npi|ein|sku|ean(13)?|upc|gtin|isbn(_?1[03])?|issn|imei|vin|"
    r"barcode|plate|licen[cs]e_plate|slug|handle|login|user_?name|subdomain|hash|digest|fingerprint|checksum|uuid|guid|"
    r"external_id|idempotency_key|api_key|reference|document(o)?|matricula|code|codigo|serial"
)
_KEY = re.compile(rf"(?:{_IDENTITY})")
_KEY_END = re.compile(r".+_(?:hash|digest|sha1|sha256|md5|slug|email|sku|reference|uuid)")
_NO_KEY = re.compile(
    r"(?:.*_)?(?:password|passwd|pass|pwd|secret|salt|parent|previous|prev|prior|last|old|former|git|commit|"
    r"status|error|response|country|currency|language|lang|locale|postal|zip|post|area|region|state|city|discount|promo|"
    r"coupon|billing|shipping|reply_to|sender|recipient|from|to|cc|contact)_.*|"
    r".*(?:postal|zip|country|currency|language|area|status|error|response|reason|color|colour|promo|coupon|dial|"
    r"time_?zone|cost_center|diagnosis|procedure|icd(10)?|cid(10)?)_?code"
)
_IN_CHILD = re.compile(
    rf"(?:{_IDENTITY})|.*(?:phone|mobile|whatsapp|telephone|telefone|fax|celular|email|e_mail|url|hash|code|number|"
    r"address|key|slug|sku|tag|handle|iban|value)(?:_e164|_normali[sz]ed|_raw|_norm)?"
)
_SLOT = re.compile(
    r"(?:.*_)?(?:starts?_(?:at|time|on)|scheduled_(?:at|for|on)|slot|slot_(?:at|start|time)|appointment_(?:at|date|time)|"
    r"(?:valid|effective)_from|period|month|week|day|billing_(?:month|period))"
)
_TEMPORARY = _words(
    "audit audits log logs logging history histories archive archived archives backup backups bak staging "
    "stage stg tmp temp import imports raw outbox snapshot snapshots old event events changelog "
    "journal trail dead queue migrations"
)
_LISTED = _words("phone telephone telefone email contact alias identifier document url link handle tag")
_TENANT = _words(
    "tenant organization organisation org workspace account company business shop store clinic hospital "
    "site team project merchant vendor partner school branch brand"
)
_FOREIGN_SYSTEM = _words(
    "external ext legacy old remote source stripe paypal facebook google twitter github gitlab slack "
    "hubspot salesforce shopify zendesk intercom provider vendor upstream third trace request correlation "
    "span session device client gateway apple firebase auth0 cognito tax national fiscal vat message"
)
_NOT_YET = re.compile(
    r"(?:.*_)?(?:deleted|removed|archived|revoked|cancell?ed|expired|closed|disabled|suspended|banned|blocked|locked|"
    r"ended|terminated|resolved|refunded|rejected|failed|superseded|replaced|merged|retired|deactivated|"
    r"anonymi[sz]ed|unsubscribed|reversed|voided|withdrawn|deceased|death)(?:_(?:at|on|by|date|reason|id|by_id|into|time))?"
)


@lru_cache(maxsize=8192)
def parts(name: str) -> tuple[str, ...]:
    """The words of a name, in lower case: ``orderItems`` and ``order_items`` are the same."""
    return tuple(found.lower() for found in _PARTS.findall(name))


@lru_cache(maxsize=8192)
def plain(name: str) -> str:
    """A name as its words with ``_`` between them."""
    return "_".join(parts(name)) or name.lower()


@lru_cache(maxsize=8192)
def singular(word: str) -> str:
    """One of what an English word says in the plural; the word itself where it is none."""
    if word in _ODD:
        return _ODD[word]
    for plural, one in _ENDS:
        if word.endswith(plural) and len(word) > len(plural) + 1:
            return word[: -len(plural)] + one
    return word[:-1] if word.endswith("s") and not word.endswith(_NO_PLURAL) and len(word) > 3 else word


@lru_cache(maxsize=8192)
def one_of(name: str) -> str:
    """A table's name in the singular: ``order_items`` is ``order_item``."""
    words = parts(name)
    return "_".join([*words[:-1], singular(words[-1])]) if words else name.lower()


def referred(column: str) -> str | None:
    """What a column seems to refer to by its name: ``customer`` for ``customer_id``; None if it seems no reference."""
    words = parts(column)
    if len(words) < 2 or words[-1] not in {"id", "uuid", "guid", "fk"}:
        return None
    return "_".join(words[:-1])


def of_another_system(stem: str) -> bool:
    """Whether what a column refers to seems to be elsewhere: ``stripe_customer``."""
    return stem.split("_", maxsplit=1)[0] in _FOREIGN_SYSTEM


def is_key(column: str, table: str) -> bool:
    """Whether a name says that its values name a row by themselves, as far as a name can: ``email``, ``sku``."""
    name = plain(column)
    own = one_of(table)
    if _NO_KEY.fullmatch(name):
        return False
    return bool(_KEY.fullmatch(name) or _KEY_END.fullmatch(name)) or name in {f"{own}_{end}" for end in _OF_TABLE}


_OF_TABLE = ("code", "number", "no", "key", "hash", "slug", "ref", "reference", "uuid", "sku")


def is_value_of_child(column: str) -> bool:
    """Whether a row of a table that belongs to another may have such a value once for each: ``phone``."""
    name = plain(column)
    return bool(_IN_CHILD.fullmatch(name)) and "password" not in name


def lists_values(table: str) -> bool:
    """Whether a table seems to hold values that others have several of: ``phones``, ``contact_emails``."""
    return one_of(table).split("_")[-1] in _LISTED


def is_slot(column: str) -> bool:
    """Whether a time says which of several like places a row takes."""
    return _SLOT.fullmatch(plain(column)) is not None


def is_beside(table: str) -> bool:
    """Whether a table seems to note what happened, or to be there for a while: its rows need no key and no "
    "reference."""
    return bool(_TEMPORARY & set(parts(table)))


def is_tenant(stem: str) -> bool:
    """Whether what a column refers to divides the rows among those who do not know of each other."""
    return bool(_TENANT & set(stem.split("_")))


def comes_later(column: str) -> bool:
    """Whether a column is empty until something happens that need never happen: ``deleted_at``."""
    return _NOT_YET.fullmatch(plain(column)) is not None


def belongs_to(table: str, stems: Iterable[str]) -> str | None:
    """Of what a table's columns refer to, that whose part it is by its name: ``entity`` of ``entity_phones``."""
    name = one_of(table)
    return next((stem for stem in sorted(stems, key=len, reverse=True) if name.startswith(f"{stem}_")), None)
