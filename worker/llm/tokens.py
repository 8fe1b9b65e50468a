"""How many tokens a text has, guessed from its length: tokenizers are slow, large and differ by model."""

_BYTES_PER_TOKEN = 3


def estimate_tokens(text: str) -> int:
    """At least 1, and rather too many than too few: English has about four bytes a token, Korean about three."""
    return len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN + 1
