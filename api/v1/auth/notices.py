"""Mails that only tell somebody what happened to their account; they ask for nothing."""

from enum import StrEnum

from common.mail.templates import MailLocale


class Notice(StrEnum):
    """What there is to tell."""

    ACCOUNT_EXISTS = "account_exists"
    PASSWORD_CHANGED = "password_changed"
    EMAIL_CHANGED = "email_changed"


NOTICES: dict[tuple[Notice, MailLocale], tuple[str, str]] = {
    (Notice.ACCOUNT_EXISTS, MailLocale.EN): (
        "You already have an account",
        "Somebody, perhaps you, wanted to register with this address. It has an account already: sign in with your "
        "password, or ask for a new one if you forgot it. If it was not you, there is nothing to do.\n",
    ),
    (Notice.ACCOUNT_EXISTS, MailLocale.KO): (
        "이미 가입된 주소입니다",
        "이 주소로 가입 요청이 있었지만 이미 계정이 있습니다. 비밀번호로 로그인하거나, 잊으셨다면 재설정해 주세요. "
        "직접 요청하지 않으셨다면 아무것도 하지 않으셔도 됩니다.\n",
    ),
    (Notice.PASSWORD_CHANGED, MailLocale.EN): (
        "Your password was changed",
        "The password of your account was changed, and all other sessions were ended. If it was not you, reset your "
        "password now and tell the people who run this service.\n",
    ),
    (Notice.PASSWORD_CHANGED, MailLocale.KO): (
        "비밀번호가 변경되었습니다",
        "계정의 비밀번호가 변경되었고 다른 모든 세션이 종료되었습니다. 직접 변경하지 않으셨다면 지금 비밀번호를 "
        "재설정하고 서비스 운영자에게 알려 주세요.\n",
    ),
    (Notice.EMAIL_CHANGED, MailLocale.EN): (
        "Your address was changed",
        "Your account has another e-mail address now, and mails will go there. If it was not you, tell the people who "
        "run this service at once.\n",
    ),
    (Notice.EMAIL_CHANGED, MailLocale.KO): (
        "이메일 주소가 변경되었습니다",
        "계정의 이메일 주소가 변경되어 앞으로는 새 주소로 메일을 보냅니다. 직접 변경하지 않으셨다면 즉시 서비스 "
        "운영자에게 알려 주세요.\n",
    ),
}
