"""What calls to models fail with beyond `common.errors`. Light to import."""

from common.errors import TransientError


class UpstreamError(TransientError):
    """The provider did not do its part: it failed, broke off, was silent or cannot be understood."""


class OverloadedError(UpstreamError):
    """The provider answered 429: more is asked of it than it allows. `retry_after` is its own word, if it gave one."""
