"""What the growth benchmark asks is what the UI of the installed Dagster asks, and its schema takes it."""

import pytest
from dagster_graphql.schema import create_schema
from graphql import parse, validate

from benchmarks.growth_asks import pages
from benchmarks.ui_queries import ui_query

ASKED = sorted({name for asks in pages(["leads"], "one").values() for name, _ in asks})


@pytest.mark.parametrize("name", [*ASKED, "LaunchPipelineExecution", "LaunchPartitionBackfill", "StopSchedule"])
def test_a_query_of_the_ui_is_found_with_its_fragments(name: str) -> None:
    document = parse(ui_query(name))

    assert [str(error) for error in validate(create_schema().graphql_schema, document)] == []


def test_a_query_that_this_release_does_not_have_is_refused() -> None:
    with pytest.raises(KeyError, match="NoSuchQuery"):
        ui_query("NoSuchQuery")
