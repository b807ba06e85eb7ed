"""Which requests for content a run works on. Not here: the verbs of its inbox rows (`inbox_batches.py`), the steps."""

from draggonnb_pipelines.domain.content import ContentWork
from draggonnb_pipelines.workflows.inbox_batches import ClaimedRows, StepOutcome, organizations_by_id, partition_of

Outcome = StepOutcome[ContentWork]


class ContentBatch(ClaimedRows):
    """The requests that a sensor gave to this run."""

    async def works(self) -> list[ContentWork]:
        """Those that this run still holds."""
        rows = await self.rows()
        organizations = await organizations_by_id(self.stack, {row["organization_id"] for row in rows})
        return [
            ContentWork(
                organizations[row["organization_id"]], partition_of(row["slug"], row["received_at"]), row["inbox_id"]
            )
            for row in rows
        ]
