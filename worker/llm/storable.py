"""Texts of models as our stores take them."""


def storable(text: str) -> str:
    """`text` without what PostgreSQL and UTF-8 refuse: NUL and halves of surrogate pairs."""
    if not text.isascii():
        text = text.encode("utf-8", "replace").decode()
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
