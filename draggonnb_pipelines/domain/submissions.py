"""A lead as somebody sent it: one checked shape, whichever of the senders' shapes it came in.

Lives here: `LeadSubmission`, which the API seals into the inbox and the lead workflow reads back.
Not here: how the senders' shapes become one (`lead_shapes.py`), what one field must look like
(`contact_details.py`), reading bytes, authentication and storage (`api/`).
"""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from draggonnb_pipelines.errors import DraggonnbError

MAX_FAULTS_NAMED = 20
Shape = Literal["web_form", "meta_lead_ads", "n8n"]
ConsentPurpose = Literal["contact", "marketing"]


class Consent(BaseModel):
    """What the person agreed to (or not), and the words they saw. Empty wording: the sender did not say."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    purpose: ConsentPurpose
    granted: bool
    wording: str = Field(default="", max_length=2000)


class LeadSubmission(BaseModel):
    """One lead, checked and normalised.

    `email`, `phone` and `website` are as given; `email_key` (lower case, NFC) and `phone_e164` are what two leads are
    compared by. `qualification_data` holds everything else that was sent, and under `unusable` the values that a
    machine delivered and nobody can correct any more.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$")
    shape: Shape = "web_form"
    delivery_id: str | None = Field(default=None, min_length=1, max_length=200)
    name: str | None = Field(default=None, max_length=200)
    email: str | None = Field(default=None, max_length=254)
    email_key: str | None = Field(default=None, max_length=254)
    phone: str | None = Field(default=None, max_length=40)
    phone_e164: str | None = Field(default=None, pattern=r"^\+[1-9]\d{6,14}$")
    company: str | None = Field(default=None, max_length=200)
    website: str | None = Field(default=None, max_length=500)
    message: str | None = Field(default=None, max_length=10_000)
    submitted_at: datetime | None = None
    consents: tuple[Consent, ...] = ()
    qualification_data: dict[str, JsonValue] = {}

    @model_validator(mode="after")
    def _is_reachable(self) -> Self:
        if self.email_key is None and self.phone_e164 is None:
            raise ValueError("a lead needs an e-mail address or a phone number")
        return self

    @property
    def display_name(self) -> str:
        """What to call the lead where a name must stand."""
        return self.name or self.company or self.email or self.phone_e164 or "unknown"


class Fault(BaseModel):
    """One thing wrong with a request: where, and what to do about it. Never quotes the value."""

    field: str
    detail: str


class SubmissionRefused(DraggonnbError):
    """The request holds at least one lead that cannot be taken; none of it was."""

    def __init__(self, faults: list[Fault]) -> None:
        self.faults = faults[:MAX_FAULTS_NAMED]
        super().__init__("; ".join(f"{fault.field} {fault.detail}" for fault in self.faults))
