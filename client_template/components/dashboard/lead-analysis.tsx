/** What was found out about a lead: the analysis of its business with three quick wins, and of its competitors. */
import { EvidenceList, Verified, WebAddress } from "@/components/dashboard/evidence-list";
import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import type { BusinessAnalysis, Claim, CompetitorAnalysis, QuickWin } from "@/lib/leads";

const LEVELS = { low: "low", medium: "medium", high: "high" } as const;

export function BusinessAnalysisView({ analysis }: { analysis: BusinessAnalysis }) {
  return (
    <>
      <Card>
        <CardHeader>
          <CardTitle>Analysis</CardTitle>
          <CardDescription>
            {analysis.sector} · {analysis.company_size === "unknown" ? "size not known" : `${analysis.company_size} people`}
          </CardDescription>
        </CardHeader>
        <CardContent className="flex flex-col gap-5 text-sm leading-6">
          <p className="break-words whitespace-pre-line">{analysis.summary}</p>
          <Claims title="Strengths" claims={analysis.strengths} />
          <Claims title="Weaknesses" claims={analysis.weaknesses} />
        </CardContent>
      </Card>
      <section aria-labelledby="quick-wins" className="flex flex-col gap-3">
        <h2 id="quick-wins" className="text-base font-semibold tracking-tight">
          Quick wins
        </h2>
        <ol className="grid grid-cols-1 gap-4 xl:grid-cols-3">
          {analysis.quick_wins.map((win, place) => (
            <li key={place}>
              <QuickWinCard win={win} place={place + 1} />
            </li>
          ))}
        </ol>
      </section>
    </>
  );
}

function Claims({ title, claims }: { title: string; claims: readonly Claim[] }) {
  if (!claims.length) return null;
  return (
    <section className="flex flex-col gap-2">
      <h3 className="font-semibold">{title}</h3>
      <ul className="flex flex-col gap-3">
        {claims.map((claim, place) => (
          <li key={place} className="flex flex-col gap-1">
            <span className="break-words">
              {claim.text} <Verified evidence={claim.evidence} />
            </span>
            <EvidenceList evidence={claim.evidence} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function QuickWinCard({ win, place }: { win: QuickWin; place: number }) {
  return (
    <Card className="h-full">
      <CardHeader>
        <CardTitle as="h3">
          {place}. {win.title}
        </CardTitle>
        <div className="flex flex-wrap gap-1.5">
          <Badge variant="secondary">Effort {LEVELS[win.effort]}</Badge>
          <Badge>Impact {LEVELS[win.impact]}</Badge>
          <Verified evidence={win.evidence} />
        </div>
      </CardHeader>
      <CardContent className="flex flex-col gap-3 text-sm leading-6">
        <p className="break-words">{win.why}</p>
        <ol className="list-decimal pl-5">
          {win.first_steps.map((step, at) => (
            <li key={at} className="break-words">
              {step}
            </li>
          ))}
        </ol>
        <EvidenceList evidence={win.evidence} />
      </CardContent>
    </Card>
  );
}

export function CompetitorsView({ analysis }: { analysis: CompetitorAnalysis }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>Competitors</CardTitle>
        <CardDescription>{analysis.market_note}</CardDescription>
      </CardHeader>
      <CardContent>
        <ul className="flex flex-col gap-4 text-sm leading-6">
          {analysis.competitors.map((one, place) => (
            <li key={place} className="flex flex-col gap-1">
              <span className="flex flex-wrap items-center gap-x-2 font-medium">
                {one.name} <WebAddress address={one.url} className="font-normal" /> <Verified evidence={one.evidence} />
              </span>
              <span className="break-words text-text-muted">{one.positioning}</span>
              <EvidenceList evidence={one.evidence} />
            </li>
          ))}
        </ul>
      </CardContent>
    </Card>
  );
}
