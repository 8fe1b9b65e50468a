"""Keys of providers, which settings only name: `env:NAME` or `file:PATH`."""

import os
from pathlib import Path

from dotenv import dotenv_values
from pydantic import SecretStr


def read_key(reference: str) -> SecretStr:
    """The key that `reference` names, from a variable (also of `.env`) or a file.

    Raises `ValueError` that says what is missing, never what was found.
    """
    source, _, name = reference.partition(":")
    if source == "env":
        text = os.environ.get(name) or dotenv_values(".env").get(name) or ""
    else:
        try:
            text = Path(name).read_text()
        except (OSError, UnicodeError) as error:
            raise ValueError(f"the key at {reference} cannot be read ({type(error).__name__})") from None
    key = text.strip()
    if not key or not (key.isascii() and key.isprintable()):
        raise ValueError(f"there is no usable key at {reference}")
    return SecretStr(key)
