"""`letuin register`: an account, for people who have none."""

from typing import Annotated

import typer

from common.cli.asking import ask
from common.cli.options import JsonOption, UrlOption
from common.cli.output import error_console, print_json
from common.cli.users import read_password

app = typer.Typer(add_completion=False)


@app.command()
def register(
    email: Annotated[str, typer.Argument(help="The address that a code is sent to.")],
    name: Annotated[str | None, typer.Option(help="How mails shall address you.")] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Ask for an account. The code in the mail goes to `letuin verify-email`."""
    body = {"email": email, "password": read_password(is_piped=password_stdin, confirm=True), "name": name}
    answer = ask(url, lambda client: client.post("/auth/register", body=body), as_nobody=True)
    if as_json:
        print_json(answer)
        return
    error_console().print(f"A mail to {email} is on its way; go on with `letuin verify-email CODE`.", markup=False)
