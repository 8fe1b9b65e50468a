"""Puts the services of accounts together."""

from dataclasses import dataclass

from api.audit import AuditLog
from api.config import ApiSettings
from api.key_ring import KeyRing
from api.password_hasher import PasswordHasher
from api.refresh_tokens import RefreshTokens
from api.revocations import Revocations
from api.security import AccessTokens
from api.turnstile import Turnstile
from api.v1.auth.account_mailer import AccountMailer
from api.v1.auth.addresses import AddressService
from api.v1.auth.attempt_gate import AttemptGate
from api.v1.auth.password_proof import PasswordProof
from api.v1.auth.passwords import PasswordService
from api.v1.auth.registration import RegistrationService
from api.v1.auth.service import AuthService
from api.v1.auth.session_issuer import SessionIssuer
from common.database.session import Sessions
from common.queue.client import JobQueue
from common.repository.account import AccountRepository
from common.repository.attempt_count import AttemptCountRepository
from common.repository.email_code import EmailCodeRepository
from common.repository.session import SessionRepository
from common.repository.user import UserRepository
from common.vault import Vault


@dataclass(frozen=True, slots=True)
class AccountServices:
    """Everything that people do with their accounts."""

    auth: AuthService
    registration: RegistrationService
    passwords: PasswordService
    addresses: AddressService


def create_accounts(
    settings: ApiSettings,
    sessions: Sessions,
    users: UserRepository,
    passwords: PasswordHasher,
    keys: KeyRing,
    tokens: AccessTokens,
    queue: JobQueue,
    revocations: Revocations,
    audit: AuditLog,
    vault: Vault,
) -> AccountServices:
    """The services, on the clients that the process shares."""
    accounts, logins, codes = AccountRepository(), SessionRepository(), EmailCodeRepository()
    gate = AttemptGate(settings, sessions, AttemptCountRepository(), logins, keys.current.secret)
    mailer = AccountMailer(settings, queue, vault)
    waiting = settings.max_waiting_logins
    # Together fewer than DATABASE_POOL_SIZE: a flood of one kind of request leaves connections for the others.
    for_logins, for_mails, for_refreshes = (Turnstile(at_once=most, most_waiting=waiting) for most in (3, 2, 2))
    proof = PasswordProof(sessions, users, passwords, gate, for_logins, audit)
    issuer = SessionIssuer(settings, logins, tokens, RefreshTokens(keys))
    return AccountServices(
        auth=AuthService(sessions, logins, accounts, proof, issuer, revocations, for_refreshes, audit),
        registration=RegistrationService(
            settings, sessions, users, accounts, codes, passwords, gate, mailer, for_mails, audit
        ),
        passwords=PasswordService(
            settings, sessions, users, accounts, logins, codes, passwords, proof, issuer, gate, mailer, revocations,
            for_mails, audit,
        ),
        addresses=AddressService(
            settings, sessions, users, accounts, logins, codes, proof, gate, mailer, revocations, audit
        ),
    )  # fmt: skip
