"""From a pydantic model to the JSON schema that Claude's structured output takes.

Lives here: what the vendor's schema subset allows. Does not live here: validation of the answer; the pydantic model
does it, with all the limits (`max_length`, `ge`, ...) that may not go on the wire.
"""

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel

# The vendor answers 400 to these; a model's limits are told to Claude in words and enforced by pydantic afterwards.
_LIMITS = (
    "minLength",
    "maxLength",
    "pattern",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "maxItems",
    "uniqueItems",
)
_STRING_FORMATS = frozenset(
    {"date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"}
)
_REFUSED = ("patternProperties", "prefixItems", "propertyNames", "not", "if", "contains", "dependentSchemas")
_SCALARS = frozenset({"string", "integer", "number", "boolean", "null"})


def strict_schema(model: type[BaseModel]) -> dict[str, Any]:
    """The wire schema of a model: every object closed, every limit moved from a keyword to the description.

    Raises:
        ValueError: the model needs what the vendor's subset lacks (recursion, open dictionaries, tuples, `Any`);
            the message names the place.
    """
    schema = model.model_json_schema()
    definitions: dict[str, Any] = schema.pop("$defs", {})
    for name in definitions:
        _refuse_recursion(name, definitions, ())
    wire = _strict(schema, "$")
    if definitions:
        wire["$defs"] = {name: _strict(part, f"$defs.{name}") for name, part in definitions.items()}
    return wire


def _strict(schema: dict[str, Any], where: str) -> dict[str, Any]:
    for keyword in _REFUSED:
        if keyword in schema:
            raise ValueError(f"{where}: Claude's structured output does not take {keyword!r}")
    if "$ref" in schema:
        return {"$ref": schema["$ref"]}
    variants = schema.get("anyOf") or schema.get("oneOf")
    if variants:
        return _described(
            {"anyOf": [_strict(part, f"{where}.anyOf[{n}]") for n, part in enumerate(variants)]}, schema, []
        )
    if "allOf" in schema:
        raise ValueError(f"{where}: Claude's structured output does not take 'allOf'")
    if "enum" in schema or "const" in schema:
        return _described({key: schema[key] for key in ("type", "enum", "const") if key in schema}, schema, [])
    builders: dict[str, Callable[[dict[str, Any], str], dict[str, Any]]] = {"object": _object, "array": _array}
    kind = schema.get("type")
    if kind in builders:
        return builders[kind](schema, where)
    if kind not in _SCALARS:
        raise ValueError(f"{where}: a value of any type; give the field one type")
    wire: dict[str, Any] = {"type": kind}
    notes = [f"{key}: {schema[key]}" for key in _LIMITS if key in schema]
    if schema.get("format") in _STRING_FORMATS:
        wire["format"] = schema["format"]
    return _described(wire, schema, notes)


def _object(schema: dict[str, Any], where: str) -> dict[str, Any]:
    if "properties" not in schema or schema.get("additionalProperties") not in (None, False):
        raise ValueError(f"{where}: an open dictionary; name its fields in a model")
    wire: dict[str, Any] = {
        "type": "object",
        "properties": {name: _strict(part, f"{where}.{name}") for name, part in schema["properties"].items()},
        "required": schema.get("required", []),
        "additionalProperties": False,
    }
    return _described(wire, schema, [])


def _array(schema: dict[str, Any], where: str) -> dict[str, Any]:
    if "items" not in schema:
        raise ValueError(f"{where}: a list of anything; give its items a type")
    wire: dict[str, Any] = {"type": "array", "items": _strict(schema["items"], f"{where}[]")}
    notes = [f"{key}: {schema[key]}" for key in _LIMITS if key in schema]
    least = schema.get("minItems")
    if least in (0, 1):
        wire["minItems"] = least
    elif least is not None:
        notes.insert(0, f"minItems: {least}")
    return _described(wire, schema, notes)


def _described(wire: dict[str, Any], schema: dict[str, Any], notes: list[str]) -> dict[str, Any]:
    words = [schema["description"]] if schema.get("description") else []
    if notes:
        words.append("(" + ", ".join(notes) + ")")
    if words:
        wire["description"] = " ".join(words)
    return wire


def _refuse_recursion(name: str, definitions: dict[str, Any], path: tuple[str, ...]) -> None:
    if name in path:
        raise ValueError(f"$defs.{name}: a model that contains itself")
    for inner in _references(definitions[name]):
        _refuse_recursion(inner, definitions, (*path, name))


def _references(part: Any) -> set[str]:
    if isinstance(part, dict):
        own = {part["$ref"].removeprefix("#/$defs/")} if isinstance(part.get("$ref"), str) else set()
        return own.union(*(_references(value) for value in part.values()))
    if isinstance(part, list):
        return set().union(*(_references(value) for value in part))
    return set()
