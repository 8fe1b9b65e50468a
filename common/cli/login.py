"""`letuin login`: tokens for later commands."""

from typing import Annotated

import typer

from common.cli.asking import ask
from common.cli.kept_tokens import keep_tokens
from common.cli.options import JsonOption, UrlOption
from common.cli.output import error_console, print_json
from common.cli.target import find_target
from common.cli.users import read_password

app = typer.Typer(add_completion=False)


@app.command()
def login(
    email: Annotated[str, typer.Argument(help="The address of your account.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking.")
    ] = False,
    as_json: JsonOption = False,
    url: UrlOption = None,
) -> None:
    """Sign in, and keep the tokens for later commands.

    They are kept for that address, in a file that only you can read, and renewed when they are used. LETUIN_TOKEN
    goes before them.
    """
    address = find_target(url, as_nobody=True).url
    password = read_password(is_piped=password_stdin)
    path = keep_tokens(address, ask(url, lambda client: client.login(email, password), as_nobody=True))
    if as_json:
        print_json({"url": address, "email": email, "tokens": str(path)})
        return
    error_console().print(f"Signed in at {address} as {email}; the tokens are in {path}.", markup=False)
