"""What Claude answers about a lead, and what we keep of it once each claim was checked.

Wire types (`...Answer`) are the JSON schemas that Claude must fill; stored types carry checked evidence.
The wire schema has three named quick wins, not a list: the API cannot enforce a list's length, a required
property it can.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from draggonnb_pipelines.domain.evidence import Source, check_quote

Level = Literal["low", "medium", "high"]
CompanySize = Literal["solo", "2-10", "11-50", "51-200", "201+", "unknown"]
MAX_COMPETITORS = 5


class _Wire(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Quote(_Wire):
    """A verbatim quote from a source, as Claude claims it."""

    quote: str = Field(description="Copied word for word from one source, one or two sentences.")
    url: str = Field(description="The url attribute of the source that it was copied from.")


class ClaimAnswer(_Wire):
    text: str
    evidence: list[Quote]


class QuickWinAnswer(_Wire):
    title: str = Field(description="An action of at most ten words.")
    why: str = Field(description="Why it pays for this company, two or three sentences.")
    first_steps: list[str] = Field(description="Two to four concrete steps for the first two weeks.")
    effort: Level
    impact: Level
    evidence: list[Quote]


class LeadScoreAnswer(_Wire):
    score: int = Field(ge=0, le=100, description="0 to 100: how likely this company is to become a good client.")
    reasons: list[str]


class BusinessAnalysisAnswer(_Wire):
    """Claude's answer to the prompt `business_analysis`."""

    summary: str = Field(description="What the company does, for whom, and where it stands. Three to five sentences.")
    sector: str
    company_size: CompanySize
    strengths: list[ClaimAnswer]
    weaknesses: list[ClaimAnswer]
    quick_win_1: QuickWinAnswer
    quick_win_2: QuickWinAnswer
    quick_win_3: QuickWinAnswer
    lead_score: LeadScoreAnswer


class CompetitorAnswer(_Wire):
    name: str
    url: str
    positioning: str = Field(description="How it presents itself and whom it serves, one or two sentences.")
    evidence: list[Quote]


class CompetitorsAnswer(_Wire):
    """Claude's answer to the prompt `competitors`."""

    market_note: str = Field(description="Two or three sentences on the local market of this company.")
    competitors: list[CompetitorAnswer]


class CheckedQuote(BaseModel):
    """A quote with the verdict of the check against the stored sources."""

    quote: str
    url: str
    supported: bool
    reason: str
    sha256: str | None
    fetched_at: datetime | None


class Claim(BaseModel):
    text: str
    evidence: list[CheckedQuote]

    @property
    def is_supported(self) -> bool:
        return any(quote.supported for quote in self.evidence)


class QuickWin(BaseModel):
    title: str
    why: str
    first_steps: list[str]
    effort: Level
    impact: Level
    evidence: list[CheckedQuote]

    @property
    def is_supported(self) -> bool:
        return any(quote.supported for quote in self.evidence)


class LeadScore(BaseModel):
    score: int = Field(ge=0, le=100)
    reasons: list[str]


class BusinessAnalysis(BaseModel):
    """Stored in `lead_analyses.content` with kind `business`: exactly three quick wins, each claim checked."""

    summary: str
    sector: str
    company_size: CompanySize
    strengths: list[Claim]
    weaknesses: list[Claim]
    quick_wins: list[QuickWin] = Field(min_length=3, max_length=3)
    lead_score: LeadScore

    @property
    def claims(self) -> list[Claim | QuickWin]:
        return [*self.strengths, *self.weaknesses, *self.quick_wins]


class Competitor(BaseModel):
    name: str
    url: str
    positioning: str
    evidence: list[CheckedQuote]
    found_by_search: bool

    @property
    def is_supported(self) -> bool:
        return any(quote.supported for quote in self.evidence)


class CompetitorAnalysis(BaseModel):
    """Stored in `lead_analyses.content` with kind `competitors`."""

    market_note: str
    competitors: list[Competitor] = Field(max_length=MAX_COMPETITORS)

    @property
    def claims(self) -> list[Competitor]:
        return self.competitors


def check_business_analysis(answer: BusinessAnalysisAnswer, sources: Sequence[Source]) -> BusinessAnalysis:
    """Check every quote against the stored sources; nothing is dropped, what is unsupported is marked.

    Raises:
        pydantic.ValidationError: the score is not within 0 to 100.
    """

    def claims(answers: list[ClaimAnswer]) -> list[Claim]:
        return [Claim(text=claim.text, evidence=check_quotes(claim.evidence, sources)) for claim in answers]

    wins = (answer.quick_win_1, answer.quick_win_2, answer.quick_win_3)
    return BusinessAnalysis(
        summary=answer.summary,
        sector=answer.sector,
        company_size=answer.company_size,
        strengths=claims(answer.strengths),
        weaknesses=claims(answer.weaknesses),
        quick_wins=[
            QuickWin(**win.model_dump(exclude={"evidence"}), evidence=check_quotes(win.evidence, sources))
            for win in wins
        ],
        lead_score=LeadScore(**answer.lead_score.model_dump()),
    )


def check_competitors(
    answer: CompetitorsAnswer, sources: Sequence[Source], searched_urls: Sequence[str]
) -> CompetitorAnalysis:
    """Check each competitor's quotes against pages of its own host, and its address against what the search returned.

    The same sentence on the page of another company proves nothing about this one.
    """
    hosts = {_host(url) for url in searched_urls}
    pages: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        pages[_host(source.url)].append(source)
    return CompetitorAnalysis(
        market_note=answer.market_note,
        competitors=[
            Competitor(
                name=competitor.name,
                url=competitor.url,
                positioning=competitor.positioning,
                evidence=check_quotes(competitor.evidence, pages[_host(competitor.url)]),
                found_by_search=_host(competitor.url) in hosts,
            )
            for competitor in answer.competitors[:MAX_COMPETITORS]
        ],
    )


def check_quotes(quotes: Sequence[Quote], sources: Sequence[Source]) -> list[CheckedQuote]:
    """The verdict on each quote, in order."""
    checked = []
    for quote in quotes:
        support = check_quote(quote.quote, quote.url, sources)
        checked.append(
            CheckedQuote(
                quote=quote.quote,
                url=support.url or quote.url,
                supported=support.supported,
                reason=support.reason,
                sha256=support.sha256,
                fetched_at=support.fetched_at,
            )
        )
    return checked


def _host(url: str) -> str:
    return url.split("://", 1)[-1].split("/", 1)[0].lower().removeprefix("www.")
