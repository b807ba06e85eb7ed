"""A webhook's body against a pydantic model, and what its sender is told of each field that is wrong.

Lives here: the strictness of JSON, and faults that name a field and quote no value. Not here: the models
(`message_requests.py`, `fresh_numbers.py`), and the reading of bytes (`api/bodies.py`).
"""

import json
import re
from typing import Any, TypeVar

from pydantic import BaseModel, JsonValue, ValidationError

from draggonnb_pipelines.domain.submissions import Fault, SubmissionRefused

_NAME = re.compile(r"[A-Za-z_][\w-]{0,39}", re.ASCII)
_DETAILS = {
    "missing": "is missing",
    "extra_forbidden": "is not known here; see /docs for the names",
    "string_type": "must be text",
    "tuple_type": "must be a list",
    "model_type": "must be an object",
    "json_invalid": "must be text that UTF-8 can hold",
    "uuid_parsing": "must be an id, as 00000000-0000-4000-8000-000000000000",
    "uuid_type": "must be an id, as 00000000-0000-4000-8000-000000000000",
}
_WORDS = (("Value error, ", ""), ("Input should be", "must be"), ("String should match", "must match"))
ModelT = TypeVar("ModelT", bound=BaseModel)


def read_strictly(model: type[ModelT], body: JsonValue) -> ModelT:
    """The body as a model, by JSON's rules of strictness: no number for a text, no name that the model has not.

    Raises:
        SubmissionRefused: one fault for each field that is wrong, by its path, such as `to.emails[1]`.
    """
    if not isinstance(body, dict):
        raise SubmissionRefused([Fault(field="body", detail="must be one object")])
    try:
        # Through JSON, in which a list is right for a tuple and a text for an id.
        return model.model_validate_json(json.dumps(body), strict=True)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise SubmissionRefused([Fault(field=_path(one["loc"]), detail=_detail(one)) for one in found]) from None


def _path(place: tuple[int | str, ...]) -> str:
    path = ""
    for part in place:
        if isinstance(part, int):
            path += f"[{part}]"
        else:
            # The name may be the sender's own, and anything.
            path += f".{part if _NAME.fullmatch(part) else 'a field'}"
    return path.lstrip(".") or "body"


def _detail(found: Any) -> str:
    text = _DETAILS.get(found["type"]) or found["msg"]
    for theirs, ours in _WORDS:
        text = text.replace(theirs, ours)
    return text
