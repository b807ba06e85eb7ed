/** How promising a lead is, by rules and by the model, each with its reasons. */
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { reasonsOf } from "@/lib/leads";

type Scores = {
  rule_score: number | null;
  rule_score_reasons: unknown;
  model_score: number | null;
  model_score_reasons: unknown;
};

export function LeadScore({ lead }: { lead: Scores }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>Score</CardTitle>
      </CardHeader>
      <CardContent className="flex flex-col gap-4 text-sm">
        <Score name="From the analysis" score={lead.model_score} reasons={reasonsOf(lead.model_score_reasons)} />
        <Score name="From the enquiry itself" score={lead.rule_score} reasons={reasonsOf(lead.rule_score_reasons)} />
      </CardContent>
    </Card>
  );
}

function Score({ name, score, reasons }: { name: string; score: number | null; reasons: readonly string[] }) {
  return (
    <section className="flex flex-col gap-1">
      <h3 className="flex justify-between gap-2 font-medium">
        {name} <span className="tabular-nums">{score === null ? "not yet" : `${score} of 100`}</span>
      </h3>
      <ul className="list-disc pl-5 text-text-muted">
        {reasons.map((reason) => (
          <li key={reason} className="break-words">
            {reason}
          </li>
        ))}
      </ul>
    </section>
  );
}
