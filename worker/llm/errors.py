"""What calls to models fail with beyond `common.errors`. Light to import."""

from common.errors import TransientError


class OverloadedError(TransientError):
    """The provider answered 429: more is asked of it than it allows. `retry_after` is its own word, if it gave one."""
