"""Changing the e-mail address of an account: password first, then a code from the new mailbox."""

from datetime import timedelta

from api.audit import AuditLog
from api.config import ApiSettings
from api.one_time_tokens import hash_token, make_code
from api.revocations import Revocations
from api.v1.auth.account_mailer import AccountMailer
from api.v1.auth.attempt_gate import AttemptGate
from api.v1.auth.client import Client, SignedIn
from api.v1.auth.notices import Notice
from api.v1.auth.pace import steady
from api.v1.auth.password_proof import PasswordProof
from api.v1.auth.trail import record
from common.database.model import CodePurpose, User
from common.database.session import Sessions
from common.errors import ConflictError, InvalidCodeError
from common.repository.account import AccountRepository
from common.repository.email_code import EmailCodeRepository, NewCode
from common.repository.job import Owner
from common.repository.session import SessionRepository
from common.repository.user import UserRepository


class AddressService:
    """The old address hears of the change; the session that asked for it is the only one that stays."""

    def __init__(
        self, settings: ApiSettings, sessions: Sessions, users: UserRepository, accounts: AccountRepository,
        logins: SessionRepository, codes: EmailCodeRepository, proof: PasswordProof, gate: AttemptGate,
        mailer: AccountMailer, revocations: Revocations, audit: AuditLog,
    ) -> None:  # fmt: skip
        self._settings = settings
        self._sessions = sessions
        self._users = users
        self._accounts = accounts
        self._logins = logins
        self._codes = codes
        self._proof = proof
        self._gate = gate
        self._mailer = mailer
        self._revocations = revocations
        self._audit = audit

    async def request(self, who: SignedIn, new_email: str, password: str, client: Client) -> None:
        """Send a code to the new address, or tell it that it has an account; the answer is the same.

        Raises what `PasswordProof.prove_self` raises, and `RateLimitedError`.
        """
        user = await self._proof.prove_self(who.owner, password, client)
        lifetime, code = self._settings.reset_password_lifetime, make_code()
        async with steady(self._settings.account_reply_time):
            async with self._sessions.begin() as db:
                other = await self._users.find_by_email(db, new_email)
                may_mail = await self._gate.may_mail(db, new_email)
                if other is None and may_mail:
                    new = _new_code(code, new_email, lifetime, user, who)
                    await self._codes.insert(db, new)
            if other is not None and may_mail:
                await self._mailer.send_notice(Notice.ACCOUNT_EXISTS, new_email, client, locale=other.locale)
            elif may_mail:
                await self._mailer.send_code(
                    CodePurpose.CHANGE_EMAIL, new_email, code, lifetime, client, name=user.name, locale=user.locale
                )
        record(self._audit, "auth.email_change", Owner(user.tenant_id, user.id), "success", client)

    async def confirm(self, code: str, client: Client) -> User:
        """Give the user the address that the code was sent to.

        Raises `InvalidCodeError`, and `ConflictError` when the address became another's meanwhile.
        """
        async with self._sessions.begin() as db:
            held = await self._codes.take(db, hash_token(code), CodePurpose.CHANGE_EMAIL)
            user = await self._users.find(db, held.owner_id) if held and held.owner_id else None
            if held is not None and user is not None:
                old = user.email
                if not await self._accounts.set_email(db, user.id, held.email):
                    raise ConflictError("this address cannot be taken any more")
                await self._codes.delete_of(db, user.id)
                await self._logins.end(db, Owner(user.tenant_id, user.id), "email_change", but=held.session_id)
        if held is None or user is None:
            record(self._audit, "auth.email_change_confirm", None, "failure", client)
            raise InvalidCodeError("The code is not valid (any more).")
        await self._revocations.announce(user.id)
        record(self._audit, "auth.email_change_confirm", Owner(user.tenant_id, user.id), "success", client)
        await self._mailer.send_notice(Notice.EMAIL_CHANGED, old, client, locale=user.locale)
        return user


def _new_code(code: str, email: str, lifetime: timedelta, user: User, who: SignedIn) -> NewCode:
    purpose = CodePurpose.CHANGE_EMAIL
    return NewCode(hash_token(code), purpose, email, lifetime, owner_id=user.id, session_id=who.session_id)
