"""Changing a password: knowing the old one, or reading a mail."""

from sqlalchemy.ext.asyncio import AsyncSession

from api.audit import AuditLog
from api.config import ApiSettings
from api.one_time_tokens import hash_token, make_code
from api.password_hasher import PasswordHasher
from api.revocations import Revocations
from api.turnstile import Turnstile
from api.v1.auth.account_mailer import AccountMailer
from api.v1.auth.attempt_gate import AttemptGate
from api.v1.auth.client import Client, SignedIn
from api.v1.auth.notices import Notice
from api.v1.auth.pace import steady
from api.v1.auth.password_proof import PasswordProof
from api.v1.auth.session_issuer import SessionIssuer, TokenPair
from api.v1.auth.trail import record
from common.database.model import CodePurpose, User
from common.database.session import Sessions
from common.errors import ConflictError, InvalidCodeError
from common.password_policy import PasswordPolicy
from common.repository.account import AccountRepository
from common.repository.email_code import EmailCodeRepository, NewCode
from common.repository.job import Owner
from common.repository.session import SessionRepository
from common.repository.user import UserRepository

_INVALID_CODE = "The code is not valid (any more)."


class PasswordService:
    """Every change ends all sessions, all access tokens, and all codes that were sent before."""

    def __init__(
        self, settings: ApiSettings, sessions: Sessions, users: UserRepository, accounts: AccountRepository,
        logins: SessionRepository, codes: EmailCodeRepository, passwords: PasswordHasher, proof: PasswordProof,
        issuer: SessionIssuer, gate: AttemptGate, mailer: AccountMailer, revocations: Revocations,
        turnstile: Turnstile, audit: AuditLog,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._sessions = sessions
        self._users = users
        self._accounts = accounts
        self._logins = logins
        self._codes = codes
        self._passwords = passwords
        self._proof = proof
        self._issuer = issuer
        self._gate = gate
        self._mailer = mailer
        self._revocations = revocations
        self._turnstile = turnstile
        self._audit = audit
        self._policy = PasswordPolicy(settings)

    async def change(self, who: SignedIn, current: str, new: str, client: Client) -> TokenPair:
        """Replace the password and begin a new session; all others end.

        Raises what `PasswordProof.prove_self` raises, `PasswordError`, and `ConflictError` when somebody else changed
        it at the same time.
        """
        user = await self._proof.prove_self(who.owner, current, client)
        self._policy.check(new, user.email, user.name, field="new_password")
        password_hash = await self._passwords.hash(new)
        async with self._sessions.begin() as db:
            version = await self._replace(db, user, password_hash, old=user.password_hash)
            if version is None:
                raise ConflictError("the password was changed by somebody else meanwhile")
            pair = await self._issuer.begin(db, user, client, version=version)
        await self._tell("auth.password_change", user, client)
        return pair

    async def forgot(self, email: str, client: Client) -> None:
        """Send a code if there is such an account; nothing else tells. Raises `RateLimitedError`."""
        async with steady(self._settings.account_reply_time), self._turnstile.turn():
            await self._gate.take_registration(client)
            code = make_code()
            async with self._sessions.begin() as db:
                user = await self._users.find_by_email(db, email)
                may_mail = await self._gate.may_mail(db, email)
                if user is None or not _can_reset(user) or not may_mail:
                    user = None
                else:
                    await self._codes.insert(db, self._new_code(user, code))
            if user is not None:
                lifetime = self._settings.reset_password_lifetime
                await self._mailer.send_code(
                    CodePurpose.RESET_PASSWORD, user.email, code, lifetime, client, name=user.name, locale=user.locale
                )
        owner = Owner(user.tenant_id, user.id) if user else None
        record(self._audit, "auth.password_forgot", owner, "success", client)

    async def reset(self, code: str, new: str, client: Client) -> None:
        """Replace the password of whoever got the code.

        Raises `InvalidCodeError`, `PasswordError`, and `UnavailableError` when too many wait.
        """
        async with self._turnstile.turn():
            user = await self._reset(code, new, client)
        await self._tell("auth.password_reset", user, client)

    async def _reset(self, code: str, new: str, client: Client) -> User:
        purpose, code_hash = CodePurpose.RESET_PASSWORD, hash_token(code)
        async with self._sessions() as db:
            held = await self._codes.find(db, code_hash, purpose)
            user = await self._users.find(db, held.owner_id) if held and held.owner_id else None
        if user is None or not _can_reset(user):
            record(self._audit, "auth.password_reset", None, "failure", client)
            raise InvalidCodeError(_INVALID_CODE)
        self._policy.check(new, user.email, user.name, field="new_password")
        password_hash = await self._passwords.hash(new)
        async with self._sessions.begin() as db:
            taken = await self._codes.take(db, code_hash, purpose)
            if taken is None or await self._replace(db, user, password_hash) is None:
                raise InvalidCodeError(_INVALID_CODE)
            if taken.email == user.email:
                await self._accounts.confirm_email(db, user.id)
        return user

    async def _replace(self, db: AsyncSession, user: User, password_hash: str, *, old: str | None = None) -> int | None:
        version = await self._accounts.set_password(db, user.id, password_hash, old=old)
        if version is not None:
            await self._logins.end(db, Owner(user.tenant_id, user.id), "password_change")
            await self._codes.delete_of(db, user.id)
        return version

    async def _tell(self, event: str, user: User, client: Client) -> None:
        await self._revocations.announce(user.id)
        record(self._audit, event, Owner(user.tenant_id, user.id), "success", client)
        await self._mailer.send_notice(Notice.PASSWORD_CHANGED, user.email, client, locale=user.locale)

    def _new_code(self, user: User, code: str) -> NewCode:
        lifetime = self._settings.reset_password_lifetime
        return NewCode(hash_token(code), CodePurpose.RESET_PASSWORD, user.email, lifetime, owner_id=user.id)


def _can_reset(user: User) -> bool:
    return user.is_active and not user.is_service and not user.email.endswith("@letuin.invalid")
