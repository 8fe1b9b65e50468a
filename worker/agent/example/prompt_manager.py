"""The prompts of a flow: one file a version, `prompts/<name>.v<number>.md`; a change is a new file."""

import re
from collections.abc import Mapping
from pathlib import Path

from langchain_core.prompts import ChatPromptTemplate, MessagesPlaceholder
from langchain_core.prompts.chat import MessageLikeRepresentation

HISTORY = "messages"

_NAME = re.compile(r"(?P<name>[a-z_]+)\.v(?P<version>[1-9][0-9]*)\.md")
_SECTION = re.compile(r"^\[(system|history|user|assistant)\]\n", re.MULTILINE)


class PromptManager:
    """Reads every prompt once. A file has sections `[system]`, `[history]`, `[user]` and names values in braces."""

    def __init__(self, folder: Path) -> None:
        self._prompts: dict[str, dict[int, ChatPromptTemplate]] = {}
        for path in sorted(folder.glob("*.md")):
            if (found := _NAME.fullmatch(path.name)) is None:
                raise ValueError(f"{path}: a prompt is named <name>.v<number>.md")
            versions = self._prompts.setdefault(found["name"], {})
            versions[int(found["version"])] = _parse(path.read_text("utf-8"), path)

    @property
    def versions(self) -> Mapping[str, tuple[int, ...]]:
        """The versions of each prompt, oldest first."""
        return {name: tuple(sorted(versions)) for name, versions in self._prompts.items()}

    @property
    def newest(self) -> dict[str, int]:
        """The newest version of each prompt."""
        return {name: max(versions) for name, versions in self._prompts.items()}

    def get(self, name: str, version: int | None = None) -> ChatPromptTemplate:
        """A prompt, the newest when no version is given. Raises `LookupError`."""
        versions = self._prompts[name]
        return versions[max(versions) if version is None else version]


def _parse(text: str, path: Path) -> ChatPromptTemplate:
    before, *parts = _SECTION.split(text)
    if before.strip() or not parts:
        raise ValueError(f"{path}: begin with a section such as [system]")
    sections: list[MessageLikeRepresentation] = []
    for role, content in zip(parts[::2], parts[1::2], strict=True):
        sections.append(MessagesPlaceholder(HISTORY) if role == "history" else (role, content.strip()))
    return ChatPromptTemplate.from_messages(sections)
