"""`letuin logout`: the kept tokens are worth nothing any more."""

import typer

from common.cli.asking import ask
from common.cli.kept_tokens import find_token, forget_tokens
from common.cli.options import UrlOption
from common.cli.output import error_console
from common.cli.target import find_target

app = typer.Typer(add_completion=False)


@app.command()
def logout(url: UrlOption = None) -> None:
    """Sign out.

    Ends the session that `letuin login` began, and forgets its tokens.
    """
    address = find_target(url, as_nobody=True).url
    if find_token(address) is None:
        error_console().print(f"Nobody is signed in at {address}.", markup=False)
        return
    try:
        ask(url, lambda client: client.tell("/auth/logout"))
    finally:
        forget_tokens(address)
    error_console().print(f"Signed out at {address}.", markup=False)
