"""What may stand in a mail's address, subject or header, checked here because mail libraries let some of it through."""

import re
import unicodedata
from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints

# Control characters, surrogates, and the line and paragraph separators of Unicode.
_UNSAFE = frozenset({"Cc", "Cs", "Zl", "Zp"})
# Some Pythons decode an encoded word in a header and write the line end in it as a line end.
_ENCODED_WORD = re.compile(r"=\?[^?\s]*\?[bq]\?", re.IGNORECASE)
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"(?P<local>{_ATOM}(?:\.{_ATOM})*)@(?P<domain>{_LABEL}(?:\.{_LABEL})*)")
_LONGEST_LOCAL = 64
_LONGEST_ADDRESS = 254


def check_line(text: str) -> str:
    """`text` if it can be one line of a mail's head. Raises `ValueError` for control characters and encoded words."""
    if any(unicodedata.category(char) in _UNSAFE for char in text):
        raise ValueError("must be one line without control characters")
    if _ENCODED_WORD.search(text):
        raise ValueError("must not hold an encoded word (=?…?=); write the text itself")
    return text


def check_address(text: str) -> str:
    """`text` if it is one bare mail address of ASCII characters. Raises `ValueError`."""
    check_line(text)
    if any(separator in text for separator in ",;<>") or text.count("@") > 1:
        raise ValueError("must be exactly one address, like ada@example.com, without a name")
    found = _ADDRESS.fullmatch(text)
    if found is None or len(found["local"]) > _LONGEST_LOCAL:
        raise ValueError("must be an address like ada@example.com, in ASCII (a domain may be in its xn-- form)")
    return text


def domain_of(address: str) -> str:
    """The part behind the @, in lower case."""
    return address.rpartition("@")[2].lower()


Line = Annotated[str, AfterValidator(check_line)]
MailAddress = Annotated[
    str,
    StringConstraints(max_length=_LONGEST_ADDRESS),
    AfterValidator(check_address),
    Field(examples=["ada@example.com"]),
]
