"""E-mail addresses: in lower case, without white space around them."""

from __future__ import annotations

import re

from lockgate.normalising.base import Unfit

_LOCAL = re.compile(r'[^\s@"(),:;<>\[\]\\.]+(?:\.[^\s@"(),:;<>\[\]\\.]+)*')
_LABEL = re.compile(r"[^\W_](?:[\w-]*[^\W_])?")
_SEPARATOR = re.compile(r"[\s,;|/]+")
_LOCAL_BYTES, _LABEL_BYTES, _BYTES = 64, 63, 254


def email(value: str) -> str | Unfit:
    """The address, all of it in lower case: servers that tell ``Ana@`` from ``ana@`` are not to be found any more.

    Whether it is there nobody but its server can tell. Names and brackets around it are no part of an address.
    """
    text = value.strip().lower()
    if not text:
        return Unfit.EMPTY
    if text.count("@") > 1:
        parts = [part for part in _SEPARATOR.split(text) if part]
        several = len(parts) > 1 and all(isinstance(_address(part), str) for part in parts)
        return Unfit.SEVERAL if several else Unfit.INVALID
    return _address(text)


def _address(text: str) -> str | Unfit:
    local, at, domain = text.partition("@")
    if not at or not _LOCAL.fullmatch(local):
        return Unfit.INVALID
    if len(local.encode("utf-8", "replace")) > _LOCAL_BYTES or len(text.encode("utf-8", "replace")) > _BYTES:
        return Unfit.TOO_LONG
    labels = domain.split(".")
    if len(labels) < 2 or labels[-1].isdigit():
        return Unfit.INVALID
    if not all(_LABEL.fullmatch(label) and len(label.encode()) <= _LABEL_BYTES for label in labels):
        return Unfit.INVALID
    return text
