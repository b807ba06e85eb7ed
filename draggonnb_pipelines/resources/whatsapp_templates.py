"""What WhatsApp's list of templates says: each template with its state, and where the next page begins.

Not here: the call and its errors (`whatsapp.py`), and what follows from a state
(`workflows/messages/message_templates.py`).
Source: the vendor's OpenAPI v23, `GET /{waba}/message_templates`.
"""

import re
from dataclasses import dataclass
from typing import Any

FIELDS = "name,language,status,category,rejected_reason,components"
PER_PAGE = 100
MAX_PAGES = 60  # the vendor allows an account 6,000 templates
_MAX_WORD = 512
_PLACE = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True, slots=True)
class MessageTemplate:
    """One template in one language, as the vendor has it now.

    Args:
        status: the vendor's word: APPROVED, PENDING, REJECTED, PAUSED, DISABLED, or one that is newer than this.
        parameters: how many its body takes; None where the vendor shows no body.
    """

    name: str
    language: str
    status: str
    category: str | None
    rejected_reason: str | None
    parameters: int | None


def read_page(page: Any) -> tuple[list[MessageTemplate], str | None] | None:
    """The templates of one page and the cursor of the next one, if there is one; None if it is no such page.

    The cursor is used, never the address under `next`: one out of an answer would be sent our token.
    """
    if not isinstance(page, dict) or not isinstance(page.get("data"), list):
        return None
    paging = page.get("paging")
    paging = paging if isinstance(paging, dict) else {}
    cursors = paging.get("cursors")
    after = _word(cursors.get("after")) if paging.get("next") and isinstance(cursors, dict) else None
    return [one for item in page["data"] if (one := _template(item)) is not None], after


def _template(item: Any) -> MessageTemplate | None:
    if not isinstance(item, dict):
        return None
    name, language, status = (_word(item.get(key)) for key in ("name", "language", "status"))
    if not (name and language and status):
        return None
    reason = _word(item.get("rejected_reason"))
    return MessageTemplate(
        name=name,
        language=language,
        status=status.upper(),
        category=_word(item.get("category")),
        rejected_reason=None if reason == "NONE" else reason,  # the vendor's way of saying that there is none
        parameters=_parameters(item.get("components")),
    )


def _parameters(components: Any) -> int | None:
    for part in components if isinstance(components, list) else []:
        if isinstance(part, dict) and part.get("type") == "BODY" and isinstance(part.get("text"), str):
            return len(set(_PLACE.findall(part["text"])))
    return None


def _word(value: Any) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= _MAX_WORD and value.isprintable() else None
