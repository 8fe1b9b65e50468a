"""Making an account: a registration becomes a user when its code comes back from the mailbox."""

from api.audit import AuditLog
from api.config import ApiSettings
from api.one_time_tokens import hash_token, make_code
from api.password_hasher import PasswordHasher
from api.turnstile import Turnstile
from api.v1.auth.account_mailer import AccountMailer
from api.v1.auth.attempt_gate import AttemptGate
from api.v1.auth.client import Client
from api.v1.auth.notices import Notice
from api.v1.auth.pace import steady
from api.v1.auth.trail import record
from common.database.model import CodePurpose, User
from common.database.session import Sessions
from common.errors import ForbiddenError, InvalidCodeError
from common.password_policy import PasswordPolicy
from common.repository.account import AccountRepository
from common.repository.email_code import EmailCodeRepository, NewCode
from common.repository.job import Owner
from common.repository.user import UserRepository


class RegistrationService:
    """Answers look and last alike whether an address has an account or not; only its mailbox tells."""

    def __init__(
        self, settings: ApiSettings, sessions: Sessions, users: UserRepository, accounts: AccountRepository,
        codes: EmailCodeRepository, passwords: PasswordHasher, gate: AttemptGate, mailer: AccountMailer,
        turnstile: Turnstile, audit: AuditLog,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._sessions = sessions
        self._users = users
        self._accounts = accounts
        self._codes = codes
        self._passwords = passwords
        self._policy = PasswordPolicy(settings)
        self._gate = gate
        self._mailer = mailer
        self._turnstile = turnstile
        self._audit = audit

    async def register(self, email: str, password: str, name: str | None, client: Client) -> None:
        """Send a code to the address, or tell it that it has an account.

        The password belongs to the code, so that nobody can choose one for a mailbox that is not theirs.
        Raises `ForbiddenError` when registration is off, `PasswordError`, `RateLimitedError`, `UnavailableError`.
        """
        self._require_open()
        self._policy.check(password, email, name)
        async with steady(self._settings.account_reply_time), self._turnstile.turn():
            await self._gate.take_registration(client)
            new = NewCode(
                code_hash=hash_token(code := make_code()),
                purpose=CodePurpose.VERIFY_EMAIL,
                email=email,
                lifetime=self._settings.verify_email_lifetime,
                password_hash=await self._passwords.hash(password),
                name=name,
                locale=client.locale,
            )
            await self._send(new, code, client)
        record(self._audit, "auth.register", None, "success", client)

    async def resend(self, email: str, client: Client) -> None:
        """Send another code for the newest registration of the address, if there is one."""
        self._require_open()
        async with steady(self._settings.account_reply_time), self._turnstile.turn():
            await self._gate.take_registration(client)
            async with self._sessions() as db:
                held = await self._codes.find_registration(db, email)
            if held is not None:
                new = NewCode(
                    code_hash=hash_token(code := make_code()),
                    purpose=CodePurpose.VERIFY_EMAIL,
                    email=email,
                    lifetime=self._settings.verify_email_lifetime,
                    password_hash=held.password_hash,
                    name=held.name,
                    locale=held.locale,
                )
                await self._send(new, code, client)
        record(self._audit, "auth.verify_email_resend", None, "success", client)

    async def verify(self, code: str, client: Client) -> User:
        """The user whom the registration asked for. Raises `InvalidCodeError`."""
        async with self._sessions.begin() as db:
            user = None
            if held := await self._codes.take(db, hash_token(code), CodePurpose.VERIFY_EMAIL):
                await self._users.ensure_default_tenant(db)
                user = await self._accounts.create_verified(db, held)
                await self._codes.delete_registrations(db, held.email)
        if user is None:
            record(self._audit, "auth.verify_email", None, "failure", client)
            raise InvalidCodeError("The code is not valid (any more).")
        record(self._audit, "auth.verify_email", Owner(user.tenant_id, user.id), "success", client)
        return user

    async def _send(self, new: NewCode, code: str, client: Client) -> None:
        async with self._sessions.begin() as db:
            user = await self._users.find_by_email(db, new.email)
            may_mail = await self._gate.may_mail(db, new.email)
            if user is None and may_mail:
                await self._codes.insert(db, new)
        if not may_mail:
            return
        if user is not None:
            await self._mailer.send_notice(Notice.ACCOUNT_EXISTS, new.email, client, locale=user.locale)
        else:
            await self._mailer.send_code(
                new.purpose, new.email, code, new.lifetime, client, name=new.name, locale=new.locale
            )

    def _require_open(self) -> None:
        if not self._settings.may_register:
            raise ForbiddenError("registration is closed here; REGISTRATION_ENABLED=true opens it")
