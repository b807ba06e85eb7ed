"""The words, numbers and dates of reports in the reader's language.

Lives here: finding the locale's file, filling its sentences, and how the locale writes numbers and days (Babel, which
carries the Unicode CLDR). Not here: the sentences themselves (`domain/locales/`), what a report says
(`report_content.py`).
"""

import tomllib
from collections.abc import Mapping
from datetime import date, time, timedelta
from functools import cache
from importlib import resources
from typing import Any

from babel import Locale
from babel.dates import format_date, format_time
from babel.numbers import format_decimal, format_percent

from draggonnb_pipelines import domain

DEFAULT_LOCALE = "en-ZA"
_MONDAY = date(2024, 1, 1)  # any Monday


class Words:
    """One locale's words. `tag` is that of the file that was found, such as "en-ZA"."""

    def __init__(self, tag: str, entries: Mapping[str, Any]) -> None:
        self.tag = tag
        self._entries = entries
        self._locale = Locale.parse(tag, sep="-")

    def say(self, key: str, **values: object) -> str:
        """The sentence `section.name`, filled in.

        Raises:
            KeyError: the file has no such sentence, or it names a value that is not given.
        """
        return str(self._entry(key)).format(**values)

    def phrase(self, key: str) -> str:
        """A sentence as it stands in the file, for who fills it in later."""
        return str(self._entry(key))

    def count(self, key: str, n: int, **values: object) -> str:
        """A sentence in the plural form that the language wants for `n`, which it may show as {n}."""
        forms = self._entry(key)
        form = forms.get(self._locale.plural_form(n)) or forms["other"]
        return form.format(n=self.number(n), **values)

    def name(self, section: str, key: str) -> str:
        """What something is called; its own key, readable, where the file has no name for it."""
        return str(self._entries.get(section, {}).get(key, key.replace("_", " ")))

    def has(self, section: str, key: str) -> bool:
        return key in self._entries.get(section, {})

    def number(self, value: float) -> str:
        """`1234567` → `1 234 567` with no-break spaces, in South Africa."""
        return format_decimal(value, locale=self._locale)

    def percent(self, fraction: float) -> str:
        """`0.0623` → `6,2%` and `0.5` → `50%`: one digit after the comma below ten percent, none from there on."""
        pattern = self._locale.percent_formats[None].pattern
        if round(abs(fraction), 3) < 0.1:
            pattern = "0.0".join(pattern.rsplit("0", 1))
        return format_percent(fraction, pattern, locale=self._locale)

    def day(self, value: date, form: str = "day") -> str:
        """`16 November 2026`; `form` is one of the locale's own: day, day_and_month, short_day."""
        return format_date(value, self.say(f"format.{form}"), locale=self._locale)

    def weekday(self, number: int, width: str = "EEEE") -> str:
        """0 is Monday; `EEE` as width gives the short name."""
        return format_date(_MONDAY + timedelta(days=number), width, locale=self._locale)

    def hour(self, value: int) -> str:
        """`18:00`."""
        return format_time(time(value), "HH:mm", locale=self._locale)

    def week(self, start: date) -> str:
        """`16 to 22 November 2026`, naming month and year of the first day only where they differ."""
        end = start + timedelta(days=6)
        if (start.year, start.month) == (end.year, end.month):
            first = str(start.day)
        else:
            first = self.day(start, "day" if start.year != end.year else "day_and_month")
        return self.say("report.week", first=first, last=self.day(end))

    def _entry(self, key: str) -> Any:
        section, _, name = key.partition(".")
        return self._entries[section][name]


@cache
def words_of(tag: str) -> Words:
    """The words of a locale such as "en-ZA"; South African English where it has no file."""
    name = tag.replace("_", "-")
    folder = resources.files(domain) / "locales"
    found = {file.name.removesuffix(".toml"): file for file in folder.iterdir() if file.name.endswith(".toml")}
    own = name if name in found else DEFAULT_LOCALE
    return Words(own, tomllib.loads(found[own].read_text(encoding="utf-8")))
