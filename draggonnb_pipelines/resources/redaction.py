"""Secrets out of text that is about to be logged, shown or stored as metadata.

Lives here: the patterns, `redact` and the logging filter. Does not live here: the choice what to log; bodies, query
strings and authorization headers are not logged in the first place, this is the net below; a DSN that is known to be
one (`postgres.redact_dsn`).
"""

import logging
import re

MASK = "[redacted]"

# Each pattern is anchored on a literal and free of nested repetition, so that hostile text cannot make it slow.
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    # The user part of a DSN stays. Greedy to the last @: a password with an unescaped @ or / is hidden whole.
    (re.compile(r"(://[^\s:/@\"'<>]{0,200}:)[^\s\"'<>?#]{1,500}@"), rf"\1{MASK}@"),
    (re.compile(r"\b(bearer|basic|digest)[ \t]+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            r"((?:api[_-]?key|token|secret|passwd|password|passphrase|private[_-]?key|master[_-]?keys"
            r"|authorization|signature|cookie)[\"']?\s{0,3}(?:=>|[:=])\s{0,3})"
            # Whole where it stands in quotes, with a backslash before what belongs to it; else to the next delimiter.
            r"(?:(\")(?!\[redacted\])(?:[^\"\\\n]|\\.)+|(')(?!\[redacted\])(?:[^'\\\n]|\\.)+"
            r"|(?!(?:bearer|basic|digest) |\[redacted\])[^\s\"'&;}\])]+)",
            re.IGNORECASE,
        ),
        rf"\1\2\3{MASK}",
    ),
    # PayFast names subscriptions in the path, by the token with which they can be charged.
    (re.compile(r"((?:/subscriptions|/recurring/update)/)[\w-]{8,64}"), rf"\1{MASK}"),
    (
        re.compile(
            r"\b(?:sk-ant-[\w-]{8,}|sk-[\w-]{20,}|EAA[A-Za-z0-9]{20,}|gh[opsur]_[A-Za-z0-9]{16,}"
            r"|github_pat_\w{16,}|sb[ps]_\w{16,}|sb_secret_\w{8,}|AKIA[A-Z0-9]{16}"
            r"|eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{4,})"
        ),
        MASK,
    ),
)
_EMAIL = re.compile(r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,8}")


def redact(text: str, *, emails: bool = False) -> str:
    """Replace bearer tokens, keys, passwords and DSN passwords by a mask; e-mail addresses too if asked."""
    for pattern, replacement in _RULES:
        text = pattern.sub(replacement, text)
    return _EMAIL.sub("[email]", text) if emails else text


class RedactingFilter(logging.Filter):
    """Redacts a record's message, traceback and stack. Put it on handlers: a logger's filter skips its children."""

    def __init__(self, *, emails: bool = False) -> None:
        super().__init__()
        self._emails = emails

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage(), emails=self._emails)
        record.args = None
        if record.exc_info and not record.exc_text:
            record.exc_text = logging.Formatter().formatException(record.exc_info)
        if record.exc_text:
            record.exc_text = redact(record.exc_text, emails=self._emails)
        if record.stack_info:
            record.stack_info = redact(record.stack_info, emails=self._emails)
        return True


def redact_handlers(logger: logging.Logger, *, emails: bool = False) -> None:
    """Add the filter to every handler of the logger that does not have it yet."""
    for handler in logger.handlers:
        if not any(isinstance(known, RedactingFilter) for known in handler.filters):
            handler.addFilter(RedactingFilter(emails=emails))
