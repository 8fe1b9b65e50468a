"""`letuin logout`: the kept tokens are worth nothing any more."""

import typer

from common.cli.asking import ask
from common.cli.kept_tokens import find_token, forget_tokens
from common.cli.options import JsonOption, UrlOption
from common.cli.output import error_console, print_json
from common.cli.target import find_target

app = typer.Typer(add_completion=False)


@app.command()
def logout(as_json: JsonOption = False, url: UrlOption = None) -> None:
    """Sign out.

    Ends the session that `letuin login` began, and forgets its tokens.
    """
    address = find_target(url, as_nobody=True).url
    is_signed_in = find_token(address) is not None
    if is_signed_in:
        _end_session(url, address)
    if as_json:
        print_json({"url": address, "was_signed_in": is_signed_in})
    else:
        said = f"Signed out at {address}." if is_signed_in else f"Nobody is signed in at {address}."
        error_console().print(said, markup=False)


def _end_session(url: str | None, address: str) -> None:
    try:
        ask(url, lambda client: client.tell("/auth/logout"))
    finally:
        forget_tokens(address)
