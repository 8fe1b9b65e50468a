"""`letuin users`: accounts, made straight in the database, and looked after over the api."""

import asyncio
import re
import sys
from typing import Annotated

import typer
from sqlalchemy.exc import SQLAlchemyError

from common.cli.accounts import app as account_app
from common.cli.exits import CommandError, UnreachableError
from common.cli.options import JsonOption
from common.cli.output import error_console, print_json
from common.cli.surroundings import load_settings, read_surroundings
from common.cli.urls import place_of
from common.config import CommonSettings
from common.database.model import Role
from common.database.session import create_engine, create_sessions
from common.ids import new_id
from common.password_policy import PasswordError, PasswordPolicy
from common.passwords import hash_password
from common.repository.user import DEFAULT_TENANT_ID, NewUser, UserRepository

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Create users; as an admin list, change, disable and enable them.",
)
app.add_typer(account_app)
_EMAIL = re.compile(r"[^\s@]{1,64}@[^\s@]{1,189}")


@app.command()
def create(
    email: Annotated[str, typer.Argument(help="The address to sign in with.")],
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from stdin instead of asking.")
    ] = False,
    role: Annotated[Role, typer.Option(help="What the user may do beyond their own jobs.")] = Role.USER,
    as_json: JsonOption = False,
) -> None:
    """Create a user who can sign in with a password.

    Uses DATABASE_URL, from the environment, `.env` or the running `letuin up`.
    """
    if not _EMAIL.fullmatch(email) or not email.isprintable():
        raise CommandError(f"{email!r} is no e-mail address.")
    settings = load_settings(read_surroundings())
    password = read_password(is_piped=password_stdin, confirm=True)
    try:
        PasswordPolicy(settings).check(password, email)
    except PasswordError as error:
        raise CommandError(f"{error.message[0].upper()}{error.message[1:]}.") from None
    user = NewUser(new_id(), DEFAULT_TENANT_ID, email.lower(), hash_password(password), role)
    asyncio.run(_insert(settings, user))
    if as_json:
        print_json({"id": str(user.id), "email": user.email, "role": str(role)})
    else:
        error_console().print(f"Created {user.email} ({role}).", markup=False)


def read_password(*, is_piped: bool, confirm: bool = False) -> str:
    """The first line of stdin, or what the person types unseen. Raises CommandError when nobody can be asked."""
    if is_piped:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise CommandError("Nobody can type a password here: use --password-stdin.")
    return str(typer.prompt("Password", hide_input=True, confirmation_prompt=confirm))


async def _insert(settings: CommonSettings, user: NewUser) -> None:
    place = place_of(settings.database_url.get_secret_value())
    engine = create_engine(settings, name="letuin users")
    users = UserRepository()
    try:
        async with create_sessions(engine).begin() as db:
            await users.ensure_default_tenant(db)
            is_new = await users.create(db, user)
    except (OSError, TimeoutError) as error:
        raise UnreachableError(
            f"PostgreSQL does not answer at {place}: start `letuin up` or set DATABASE_URL."
        ) from error
    except SQLAlchemyError as error:
        raise UnreachableError(
            f"PostgreSQL at {place} refused ({type(error).__name__}): check DATABASE_URL, and run `letuin migrate`."
        ) from error
    finally:
        await engine.dispose()
    if not is_new:
        raise CommandError(f"There is a user {user.email} already.")
