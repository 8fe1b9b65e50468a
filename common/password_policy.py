"""Which passwords may be chosen: long enough, not among those that everybody tries first, not the person's own name."""

from functools import cache
from pathlib import Path

from common.config import CommonSettings
from common.errors import InvalidError
from common.passwords import normalize_password

_LIST = Path(__file__).with_name("common_passwords.txt")


class PasswordError(InvalidError):
    """The password may not be chosen; the message says why."""

    code = "password_refused"


class PasswordPolicy:
    """Length and guessability, as NIST SP 800-63B asks; no rules about kinds of characters."""

    def __init__(self, settings: CommonSettings) -> None:
        self._shortest = settings.password_min_length
        self._longest = settings.password_max_length

    def check(self, password: str, *personal: str | None, field: str = "password") -> None:
        """Raise `PasswordError` when this may not be somebody's password.

        `personal` are their name and address; `field` names the password in the request. Lengths are characters after
        normalization; nothing is cut off or trimmed.
        """
        text = normalize_password(password)
        if reason := self._refusal(text, personal):
            raise PasswordError(reason, path=("body", field))

    def _refusal(self, text: str, personal: tuple[str | None, ...]) -> str | None:
        if not self._shortest <= len(text) <= self._longest:
            return f"a password must have {self._shortest} to {self._longest} characters"
        folded = text.casefold()
        if folded in _common_passwords() or len(set(folded)) == 1:
            return "this password is among the first that are tried; choose another"
        if folded.strip() in _names(personal):
            return "a password must not be the name or the address of its account"
        return None


def _names(personal: tuple[str | None, ...]) -> set[str]:
    whole = {normalize_password(text).casefold().strip() for text in personal if text}
    return whole | {text.partition("@")[0] for text in whole}


@cache
def _common_passwords() -> frozenset[str]:
    """The words of the list, read once."""
    lines = _LIST.read_text("ascii").splitlines()
    return frozenset(line for line in lines if not line.startswith("#"))
