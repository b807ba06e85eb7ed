"""A message that an organization's own automation wants to be sent, as it came: what it says, and to whom.

Lives here: `MessageRequest`, which the API seals into the inbox and the workflow reads back, and which field is named
where it is wrong. Not here: whether the people and contacts exist and agreed
(`workflows/messages/message_requests.py`).
"""

from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, model_validator

from draggonnb_pipelines.domain.contact_details import email_address, one_line, paragraphs
from draggonnb_pipelines.domain.strict_bodies import read_strictly
from draggonnb_pipelines.domain.submissions import Fault, SubmissionRefused

TOPIC = "notifications"
API_SOURCE = "api"
TITLE_CHARS, MESSAGE_CHARS, LINK_CHARS = 150, 5000, 1000
MAX_EMAILS, MAX_CONTACTS = 50, 500
MOST = {"emails": MAX_EMAILS, "roles": 5, "contacts": MAX_CONTACTS}
Role = Literal["owner", "admin", "editor", "approver", "viewer"]


def _title(text: str) -> str:
    return _filled(one_line(text, TITLE_CHARS))


def _message(text: str) -> str:
    return _filled(paragraphs(text, MESSAGE_CHARS))


def _email(text: str) -> str:
    email = email_address(text)
    if email is None:
        raise ValueError("must be an e-mail address")
    return email.as_given


def _link(text: str) -> str:
    """An address for people to open: of the web, with a host, and nothing that only pretends to be part of it."""
    line = _filled(one_line(text, LINK_CHARS))
    parts = urlsplit(line)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or not line.isascii():
        raise ValueError("must be an address of the web, such as https://example.co.za/page")
    return line


def _filled(text: str | None) -> str:
    if text is None:
        raise ValueError("must not be empty")
    return text


class Recipients(BaseModel):
    """To whom: addresses that the organization knows, roles of its people, contacts by their ids. At least one."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    emails: tuple[Annotated[str, AfterValidator(_email)], ...] = Field(default=(), max_length=MOST["emails"])
    roles: tuple[Role, ...] = Field(default=(), max_length=MOST["roles"])
    contacts: tuple[UUID, ...] = Field(default=(), max_length=MOST["contacts"])

    @model_validator(mode="after")
    def _reaches_somebody(self) -> Self:
        if not (self.emails or self.roles or self.contacts):
            raise ValueError("must name somebody: emails, roles or contacts")
        return self


class MessageRequest(BaseModel):
    """One message, checked as far as it can be without looking anything up.

    Args:
        event: the sender's own name for it, in its records and in the key by which it is sent once.
        category: marketing goes to those alone who agreed to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    event: str = Field(pattern=r"^[a-z_]{2,60}$")
    title: Annotated[str, AfterValidator(_title)]
    message: Annotated[str, AfterValidator(_message)]
    link: Annotated[str, AfterValidator(_link)] | None = None
    to: Recipients
    category: Literal["service", "marketing"] = "service"
    delivery_id: str | None = Field(default=None, pattern=r"^[!-~]{1,200}$")


def read_message(body: JsonValue) -> MessageRequest:
    """The request in a body. Names that are not known are refused: a misspelled `category` must not send marketing as
    service.

    Raises:
        SubmissionRefused: names each wrong field, and never quotes a value.
    """
    to = body.get("to") if isinstance(body, dict) else None
    lists = {name: to.get(name) for name in MOST} if isinstance(to, dict) else {}
    # Before each entry is looked at: thousands of wrong addresses take seconds to be told apart.
    too_long = [
        Fault(field=f"to.{name}", detail=f"must have at most {MOST[name]} entries, has {len(entries)}")
        for name, entries in lists.items()
        if isinstance(entries, list) and len(entries) > MOST[name]
    ]
    if too_long:
        raise SubmissionRefused(too_long)
    return read_strictly(MessageRequest, body)
