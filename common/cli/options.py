"""Options that several commands share."""

from typing import Annotated

import typer

JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for machines.")]
UrlOption = Annotated[
    str | None,
    typer.Option("--url", help="The api's address. Default: LETUIN_URL, or the `letuin up` of this folder."),
]
