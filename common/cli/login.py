"""`letuin login`: a token for later commands."""

import asyncio
from typing import Annotated, Any

import typer

from common.cli.api_client import ApiClient
from common.cli.options import UrlOption
from common.cli.output import error_console
from common.cli.target import Target, find_target, keep_token
from common.cli.users import read_password

app = typer.Typer(add_completion=False)


@app.command()
def login(
    email: Annotated[str, typer.Argument(help="The address of your account.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking.")
    ] = False,
    url: UrlOption = None,
) -> None:
    """Sign in, and keep the token for later commands.

    The token is kept for that address, in a file that only you can read. LETUIN_TOKEN goes before it.
    """
    target = Target(find_target(url).url, None)
    answer = asyncio.run(_login(target, email, read_password(is_piped=password_stdin)))
    path = keep_token(target.url, str(answer["access_token"]))
    error_console().print(f"Signed in at {target.url} as {email}; the token is in {path}.", markup=False)


async def _login(target: Target, email: str, password: str) -> dict[str, Any]:
    async with ApiClient(target) as client:
        return await client.login(email, password)
