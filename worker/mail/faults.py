"""Everything that sending a mail can raise, as a job error: worth another attempt, or refused for good."""

import ssl

from aiosmtplib import (
    SMTPAuthenticationError,
    SMTPConnectError,
    SMTPConnectResponseError,
    SMTPDataError,
    SMTPException,
    SMTPHeloError,
    SMTPRecipientRefused,
    SMTPRecipientsRefused,
    SMTPResponseException,
    SMTPSenderRefused,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)

from common.errors import JobError, PermanentError, TransientError
from common.redaction import redact

_LONGEST_WORDS = 300
_WANTS_PROTECTION = 530  # "authentication required", "issue STARTTLS first": the settings, not the mail
_PART = {SMTPSenderRefused: "the sender", SMTPRecipientRefused: "the recipient", SMTPDataError: "the mail"}


def translate(error: Exception) -> JobError:
    """The job error for whatever sending raised, with the server's own words.

    What is wrong with the mail is permanent; what is wrong with the server or our settings may be mended meanwhile.
    """
    if isinstance(error, SMTPRecipientsRefused) and error.recipients:
        return translate(error.recipients[0])
    if isinstance(error, SMTPAuthenticationError):
        return TransientError(f"the mail server refused the login{_words(error)}; check SMTP_URL")
    if isinstance(error, SMTPHeloError | SMTPConnectResponseError):
        return TransientError(f"the mail server does not want to talk{_words(error)}")
    if isinstance(error, SMTPResponseException):
        return _refusal(error)
    return _trouble(error)


def _refusal(error: SMTPResponseException) -> JobError:
    part = next((name for kind, name in _PART.items() if isinstance(error, kind)), "a command")
    message = f"the mail server refused {part}{_words(error)}"
    if error.code == _WANTS_PROTECTION:
        return TransientError(f"{message}; check SMTP_URL and SMTP_SECURITY")
    return PermanentError(message) if 500 <= error.code < 600 else TransientError(message)


def _trouble(error: Exception) -> JobError:
    cause = error.__cause__
    for each in (error, cause):
        if isinstance(each, ssl.SSLCertVerificationError):
            return TransientError(
                f"the mail server's certificate is not trusted ({each.verify_message}); "
                "set SMTP_CA_FILE to its authority"
            )
        if isinstance(each, ssl.SSLError):
            return TransientError(f"no protected connection to the mail server ({each.reason or type(each).__name__})")
    match error:
        case SMTPTimeoutError() | TimeoutError():
            return TransientError("the mail server did not answer in time")
        case SMTPServerDisconnected():
            return TransientError("the mail server broke off")
        case SMTPConnectError() | OSError():
            return TransientError("the mail server cannot be reached; check SMTP_URL")
        case SMTPException():
            return TransientError(f"the mail server cannot be used: {_clean(error.message)}")
    return PermanentError(f"the mail cannot be sent as it is ({type(error).__name__})")


def _words(error: SMTPResponseException) -> str:
    words = _clean(error.message)
    return f" ({error.code}: {words})" if words else f" ({error.code})"


def _clean(text: str) -> str:
    """The server's words on one line, masked and cut."""
    # A byte that is no UTF-8 comes as half a surrogate pair.
    plain = text.encode("utf-8", "replace").decode()
    printable = "".join(char if char.isprintable() else " " for char in plain)
    return redact(" ".join(printable.split()))[:_LONGEST_WORDS]
