"""Every text is there in both languages, with the same places for values."""

import re
from pathlib import Path

_SOURCES = Path(__file__).parents[2] / "console" / "src"
_TEXT = re.compile(r"""'([a-zA-Z]+(?:\.\w+)+)': (?:'((?:\\.|[^'\\])*)'|"((?:\\.|[^"\\])*)")""")
_USED = re.compile(r"\bt\(\s*'([^']+)'")
_PLACE = re.compile(r"\{(\w+)\}")


def texts(language: str) -> dict[str, str]:
    """The texts of a language by their keys, each key once."""
    found = [(key, one or other) for key, one, other in _TEXT.findall((_SOURCES / f"i18n/{language}.ts").read_text())]
    assert len(found) == len(dict(found)), f"{language}: a key stands twice"
    return dict(found)


def test_both_languages_have_the_same_texts() -> None:
    english, korean = texts("en"), texts("ko")
    assert len(english) > 400
    assert english.keys() == korean.keys()
    for key, text in english.items():
        assert sorted(_PLACE.findall(text)) == sorted(_PLACE.findall(korean[key])), key
        assert text, key
        assert korean[key], key


def test_every_text_that_is_asked_for_is_there() -> None:
    known = texts("en").keys()
    used = {key for path in _SOURCES.rglob("*.ts*") for key in _USED.findall(path.read_text())}
    assert used <= known
    assert len(used) > 300
