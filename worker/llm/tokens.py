"""How many tokens a text has, guessed from its length: tokenizers are slow, large and differ by model."""

_BYTES_PER_TOKEN = 3
_MOST_CHARACTERS_PER_TOKEN = 6


def estimate_tokens(text: str) -> int:
    """At least 1, and rather too many than too few: English has about four bytes a token, Korean about three."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1


def least_tokens(text: str) -> int:
    """Rather too few than too many, to refuse nothing that fits: prose has at most five characters a token."""
    return len(text) // _MOST_CHARACTERS_PER_TOKEN
