"""Who a request comes from, and what they may do with it."""

from dataclasses import dataclass
from uuid import UUID

from common.database.model import Role
from common.errors import ForbiddenError, NotFoundError
from common.repository.job import Owner, Reach, WholeTenant
from common.repository.user import DEFAULT_TENANT_ID
from common.scopes import JobAction, Scope


@dataclass(frozen=True, slots=True)
class JobGrant:
    """What the bearer of a job token may do: `actions` on one job of `owner_id`, and nothing else."""

    job_id: UUID
    owner_id: UUID
    actions: frozenset[JobAction]


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose identity was proved. `scopes` narrow what an API key may do; `grant` is a job token's."""

    user_id: UUID
    tenant_id: UUID
    role: Role
    scopes: frozenset[Scope] | None = None
    grant: JobGrant | None = None
    key_id: UUID | None = None
    session_id: UUID | None = None

    @property
    def owner(self) -> Owner:
        """The caller as the owner of objects; with a job token the owner of that job."""
        return Owner(self.tenant_id, self.grant.owner_id if self.grant else self.user_id)

    @property
    def reach(self) -> Reach:
        """Whose jobs the caller may look at, cancel and retry: their own, as an operator everybody's in the tenant."""
        return WholeTenant(self.tenant_id) if self.is_operator else self.owner

    @property
    def is_limited(self) -> bool:
        """Whether it is not the role alone that says what the caller may do."""
        return self.scopes is not None or self.grant is not None

    @property
    def is_operator(self) -> bool:
        """Whether the caller may look at, cancel and retry the jobs of everybody in the tenant."""
        return self.role in (Role.OPERATOR, Role.ADMIN) and self.grant is None

    @property
    def is_admin(self) -> bool:
        """Whether the caller may change users and keys of the tenant."""
        return self.role is Role.ADMIN and self.grant is None

    @property
    def is_installation_admin(self) -> bool:
        """Whether the caller is an admin of the tenant that the installation itself belongs to."""
        return self.is_admin and self.tenant_id == DEFAULT_TENANT_ID

    def require_operator(self) -> None:
        """Raises `ForbiddenError` for users."""
        if not self.is_operator:
            raise ForbiddenError("only operators and admins may do this")

    def require_admin(self) -> None:
        """Raises `ForbiddenError` for everybody but admins."""
        if not self.is_admin:
            raise ForbiddenError("only admins may do this")

    def require_scope(self, scope: Scope) -> None:
        """Raises `ForbiddenError` when an API key lacks the scope; job tokens have none."""
        if self.grant is not None or (self.scopes is not None and scope not in self.scopes):
            raise ForbiddenError(f"this token lacks the scope {scope}")

    def require_job(self, job_id: UUID, action: JobAction) -> None:
        """Raises `NotFoundError` for a job that the token is not about, `ForbiddenError` for what it does not allow."""
        if self.grant is None:
            self.require_scope(Scope.JOBS_READ if action is JobAction.READ else Scope.JOBS_WRITE)
            return
        if self.grant.job_id != job_id:
            raise NotFoundError(f"job {job_id} does not exist")
        if action not in self.grant.actions:
            raise ForbiddenError(f"this token does not allow to {action} the job")
