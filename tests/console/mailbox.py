"""What the mails of a running system say."""

import re
import time
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

_LIMIT = 60.0
_LINK = re.compile(r"https?://\S+/console/(\S+#code=[0-9A-Za-z_-]+)")


class Mailbox:
    """The mails in the folder of `letuin up`; each link is taken once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._taken: set[str] = set()

    def next_link(self, to: str) -> str:
        """The page below /console that the next mail to this address links to. Waits for the mail."""
        end = time.monotonic() + _LIMIT
        while time.monotonic() < end:
            for path in sorted(self._folder.rglob("*.eml")):
                message = message_from_bytes(path.read_bytes(), policy=default)
                assert isinstance(message, EmailMessage)
                text = message.get_body(("plain",))
                found = _LINK.search(text.get_content()) if text is not None and to in str(message["To"]) else None
                if found is not None and found[1] not in self._taken:
                    self._taken.add(found[1])
                    return found[1]
            time.sleep(0.1)
        raise AssertionError(f"no mail with a link to {to} in {self._folder}")
