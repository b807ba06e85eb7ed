"""The page about data protection says what the rules say."""

from itertools import groupby
from pathlib import Path

from draggonnb_pipelines.domain.kept_tables import KEPT
from draggonnb_pipelines.domain.retention import RULES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "data_protection.md"


def rule_lines() -> list[str]:
    return [f"| {rule.database} `{rule.table}` | {rule.what} | {rule.days} | {rule.why} |" for rule in RULES]


def kept_lines() -> list[str]:
    def reason(one):
        return one.database, one.why

    groups = groupby(KEPT, key=reason)
    return [
        f"| {database} {', '.join(f'`{one.table}`' for one in group)} | {why} |" for (database, why), group in groups
    ]


def test_the_page_shows_every_rule_and_every_table_that_is_kept():
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rules, kept = rule_lines(), kept_lines()

    start = lines.index(rules[0])
    assert lines[start : start + len(rules) + 1] == [*rules, ""]
    start = lines.index(kept[0])
    assert lines[start : start + len(kept) + 1] == [*kept, ""]
