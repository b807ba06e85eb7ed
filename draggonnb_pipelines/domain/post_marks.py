"""Hashtags, mentions and cashtags in a text, as the platforms find them.

Lives here: the patterns. Not here: how many a platform takes (`post_limits.py`), where they belong in a post
(`post_formatting.py`).
"""

import regex

_WORD = r"\p{L}\p{M}\p{N}_"
# Not all digits: "#1" is a rank. Not within a word or an address: "page#part", "shop/#menu".
_HASHTAG = regex.compile(rf"(?<![{_WORD}&/])[#＃]([{_WORD}]*[\p{{L}}\p{{M}}_][{_WORD}]*)")
_MENTION = regex.compile(rf"(?<![{_WORD}@/.+\-])[@＠]([{_WORD}](?:[{_WORD}.]*[{_WORD}])?)")
_CASHTAG = regex.compile(r"(?<!\S)\$([a-z]{1,6}(?:[._][a-z]{1,2})?)(?=\Z|\s|\p{P})", regex.IGNORECASE)


def hashtags(text: str) -> list[str]:
    """The tags of a text in order, without their `#`."""
    return _HASHTAG.findall(text)


def mentions(text: str) -> list[str]:
    """The names behind an `@`; e-mail addresses are none."""
    return _MENTION.findall(text)


def cashtags(text: str) -> list[str]:
    """Ticker symbols as X finds them: `$TSLA`, not `$5`. Source: twitter-text 3.1.0, `validCashtag`."""
    return _CASHTAG.findall(text)
