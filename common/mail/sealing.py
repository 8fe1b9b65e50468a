"""Variables of mails that prove something: sealed, so that nobody who reads a job could use them."""

from collections.abc import Mapping

from pydantic import JsonValue, TypeAdapter

from common.mail.templates import MailTemplate
from common.vault import Vault

_VARIABLES: TypeAdapter[dict[str, JsonValue]] = TypeAdapter(dict[str, JsonValue])


def seal_variables(vault: Vault, variables: Mapping[str, JsonValue], template: MailTemplate, to: str) -> str:
    """For the `sealed` field of a mail: good for this template and this address only."""
    return vault.seal(_VARIABLES.dump_json(dict(variables)).decode(), _purpose(template, to))


def open_variables(vault: Vault, sealed: str, template: MailTemplate, to: str) -> dict[str, JsonValue]:
    """What was sealed. Raises `SealError`."""
    return _VARIABLES.validate_json(vault.open(sealed, _purpose(template, to)))


def _purpose(template: MailTemplate, to: str) -> str:
    return f"mail:{template}:{to}"
