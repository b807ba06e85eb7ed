"""The surface of `draggonnb publish`: verbs, options and help; the work is in `publishing.py`."""

from enum import StrEnum
from typing import Annotated
from uuid import UUID

import typer

publish_app = typer.Typer(help="What goes out to the networks: the queue, questions to a person, taking posts back.")

Slug = Annotated[str, typer.Argument(help="The organization's slug, such as kloof-coffee.", show_default=False)]
RowId = Annotated[
    UUID, typer.Argument(metavar="ID", help="As `publish review` or `queue` shows it.", show_default=False)
]


class AnswerWord(StrEnum):
    """As `workflows.publish_questions.Answer`."""

    PUBLISHED = "published"
    NOT_PUBLISHED = "not-published"
    PUBLISH = "publish"
    DROP = "drop"
    DELETED = "deleted"


@publish_app.command("queue")
def queue_verb(
    slug: Slug,
    status: Annotated[str | None, typer.Option(help="Only rows of this status, such as scheduled.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=500)] = 30,
) -> None:
    """Show the publish ledger: what goes out when, what went out and how late."""
    from draggonnb_pipelines.cli.publishing import show_queue

    show_queue(slug, status=status, limit=limit)


@publish_app.command("review")
def review_verb(
    slug: Annotated[str | None, typer.Argument(help="One organization; without it, all.", show_default=False)] = None,
) -> None:
    """Show what waits for a person, each with its question."""
    from draggonnb_pipelines.cli.publishing import show_questions

    show_questions(slug)


@publish_app.command("answer")
def answer_verb(
    slug: Slug,
    row_id: RowId,
    answer: Annotated[
        AnswerWord,
        typer.Argument(
            help="published: it is there. not-published: it is not, send it again. publish: late or failing, try all "
            "the same. drop: never. deleted: what was to be taken back is gone.",
            show_default=False,
        ),
    ],
    url: Annotated[str | None, typer.Option(help="With published: the address of the post.")] = None,
) -> None:
    """Answer a question of `publish review`."""
    from draggonnb_pipelines.cli.publishing import act

    act(slug, row_id, answer.value, url=url)


@publish_app.command("undo")
def undo_verb(slug: Slug, row_id: RowId) -> None:
    """Take a published post back: the next run deletes it at its network."""
    from draggonnb_pipelines.cli.publishing import act

    act(slug, row_id, "undo")


@publish_app.command("resume")
def resume_verb(
    vendor: Annotated[str, typer.Argument(help="meta, linkedin or x.", show_default=False)],
) -> None:
    """Go on at a network that was stopped for a wrong set-up, once that is mended."""
    from draggonnb_pipelines.cli.publishing import resume

    resume(vendor)
