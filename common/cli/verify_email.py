"""`letuin verify-email`: the code from a mail makes the account that was asked for."""

from typing import Annotated

import typer

from common.cli.asking import ask
from common.cli.options import JsonOption, UrlOption
from common.cli.output import error_console, print_json

app = typer.Typer(add_completion=False)


@app.command()
def verify_email(
    code: Annotated[str, typer.Argument(help="The code from the mail.")],
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Verify your address with the code from the mail.

    It makes the account that `letuin register` asked for.
    """
    account = ask(url, lambda client: client.post("/auth/verify-email", body={"code": code}), as_nobody=True)
    if as_json:
        print_json(account)
        return
    error_console().print(f"Welcome. Sign in with `letuin login {account['email']}`.", markup=False)
