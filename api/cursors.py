"""Page cursors: opaque texts that only we can make, for one owner and one list."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as Base64Error
from dataclasses import asdict
from hmac import compare_digest, digest
from typing import TYPE_CHECKING
from uuid import UUID

from common.errors import InvalidError

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_SEAL_BYTES = 16
_PLACE = ("before_id", "limit")


def scope_of(wanted: "DataclassInstance") -> str:
    """What a cursor belongs to: which list, and what was asked of it; not the place and size of the page."""
    asked = {name: value for name, value in asdict(wanted).items() if name not in _PLACE}
    plain = {name: sorted(value) if isinstance(value, list | tuple) else value for name, value in asked.items()}
    return f"{type(wanted).__name__}{plain}"


class CursorSigner:
    """Signs and reads cursors. `scope` is what `scope_of` says; a cursor serves only where it was given."""

    def __init__(self, secret: bytes) -> None:
        self._key = digest(secret, b"page-cursor", "sha256")

    def sign(self, owner_id: UUID, last_id: UUID, scope: str) -> str:
        """The cursor that continues after `last_id`."""
        return urlsafe_b64encode(last_id.bytes + self._seal(owner_id, last_id, scope)).decode().rstrip("=")

    def read(self, owner_id: UUID, cursor: str, scope: str) -> UUID:
        """The id to continue after. Raises `InvalidError` for all that was not signed for this owner and scope."""
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"==")
        except (Base64Error, ValueError):
            raw = b""
        if len(raw) == 16 + _SEAL_BYTES:
            last_id = UUID(bytes=raw[:16])
            is_ours = compare_digest(raw[16:], self._seal(owner_id, last_id, scope))
            if is_ours and self.sign(owner_id, last_id, scope) == cursor:  # one text a cursor: base64 has spare bits
                return last_id
        raise InvalidError("the cursor is not one that this list returned", path=("query", "cursor"))

    def _seal(self, owner_id: UUID, last_id: UUID, scope: str) -> bytes:
        return digest(self._key, owner_id.bytes + last_id.bytes + scope.encode(), "sha256")[:_SEAL_BYTES]
