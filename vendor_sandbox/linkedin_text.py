"""LinkedIn's "little text" as the real parser takes it: it cuts, silently, at the first reserved character that
stands alone. Comments are plain text and do not come here."""

import re

_ELEMENTS = re.compile(
    r"\\(?P<escaped>[\\|{}@\[\]()<>#*_~])"
    r"|\{hashtag\|\\?(?P<sign>[#＃])\|(?P<tag>(?:\\.|[^\\|{}\[\]()])*)\}"
    r"|#(?P<bare>\w+)"
    r"|@\[(?P<name>(?:\\.|[^\\|{}\[\]()])*)\]\((?P<urn>[^()]*)\)"
    r"|(?P<plain>[^\\|{}@\[\]()<>#*_~]+)"
)
_ESCAPED = re.compile(r"\\([\\|{}@\[\]()<>#*_~])")


def parse(commentary: str) -> tuple[str, str]:
    """(what people read, the same as the API gives it back), as far as the text could be read."""
    plain: list[str] = []
    little: list[str] = []
    at = 0
    while found := _ELEMENTS.match(commentary, at):
        at = found.end()
        if found["bare"] is not None:
            plain.append(found[0])
            little.append(f"{{hashtag|\\#|{found['bare'].replace('_', chr(92) + '_')}}}")
            continue
        little.append(found[0])
        if found["escaped"] is not None:
            plain.append(found["escaped"])
        elif found["tag"] is not None:
            plain.append(found["sign"] + _ESCAPED.sub(r"\1", found["tag"]))
        elif found["name"] is not None:
            plain.append(_ESCAPED.sub(r"\1", found["name"]))
        else:
            plain.append(found[0])
    return "".join(plain), "".join(little)
