"""Templates to words: one source for each template and language gives the subject, the text and the HTML part."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup

from common.errors import PermanentError
from common.mail.templates import VARIABLES, MailLocale, MailTemplate

_FOLDER = Path(__file__).with_name("templates")


@dataclass(frozen=True, slots=True)
class Words:
    """What a mail says."""

    subject: str
    text: str
    html: str


class TemplateRenderer:
    """Renders the mails that Letuin words itself. Variables are values, never templates."""

    def __init__(self) -> None:
        self._text = _environment(autoescape=False)
        self._html = _environment(autoescape=True)

    def render(self, template: MailTemplate, variables: Mapping[str, Any], locale: MailLocale) -> Words:
        """The words of a template. Raises `PermanentError` when a variable is missing or wrong."""
        try:
            values = VARIABLES[template].model_validate(dict(variables)).model_dump(mode="json")
            source = f"{template}.{locale}.txt"
            subject, _, text = self._text.get_template(source).render(values).partition("\n")
            _, _, escaped = self._html.get_template(source).render(values).partition("\n")
            paragraphs = [Markup(part.strip()) for part in escaped.strip().split("\n\n") if part.strip()]
            highlights = {Markup.escape(value) for key in ("link", "code") if (value := values.get(key))}
            page = self._html.get_template("page.html").render(
                locale=str(locale), subject=subject, paragraphs=paragraphs, highlights=highlights
            )
        except (TemplateError, ValueError) as error:
            raise PermanentError(f"the template {template} cannot be rendered: {type(error).__name__}") from error
        return Words(subject=" ".join(subject.split()), text=text.strip() + "\n", html=page)


def _environment(*, autoescape: bool) -> Environment:
    return ImmutableSandboxedEnvironment(
        loader=FileSystemLoader(_FOLDER),
        autoescape=autoescape,
        auto_reload=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
