/**
 * Leads and what was found out about them, as the app reads them. Everything in an analysis comes from a model or from a
 * stranger's website: texts are shown as texts, addresses go through lib/safe-link.ts.
 */
import { z } from "zod";

export const LEAD_STATUSES = ["new", "analysed", "proposed", "needs_review", "contacted", "won", "lost"] as const;
export type LeadStatus = (typeof LEAD_STATUSES)[number];
export const LEAD_STATUS_NAMES: Record<LeadStatus, string> = {
  new: "New",
  analysed: "Analysed",
  proposed: "Proposal made",
  needs_review: "Needs a person",
  contacted: "Contacted",
  won: "Won",
  lost: "Lost",
};
/** What a person may set; the others are for the machine that works on a lead. */
export const STATUSES_TO_SET: readonly LeadStatus[] = ["contacted", "won", "lost"];

export function isLeadStatus(text: string | undefined): text is LeadStatus {
  return LEAD_STATUSES.some((status) => status === text);
}

export function statusTone(status: LeadStatus): "default" | "secondary" | "good" | "warn" | "bad" {
  if (status === "won") return "good";
  if (status === "needs_review") return "warn";
  if (status === "lost") return "secondary";
  return "default";
}

const quote = z.object({
  quote: z.string(),
  url: z.string().nullish(),
  supported: z.boolean(),
  fetched_at: z.string().nullish(),
});
const claim = z.object({ text: z.string(), evidence: z.array(quote) });
const level = z.enum(["low", "medium", "high"]);

export const businessAnalysis = z.object({
  summary: z.string(),
  sector: z.string(),
  company_size: z.string(),
  strengths: z.array(claim),
  weaknesses: z.array(claim),
  quick_wins: z.array(
    z.object({
      title: z.string(),
      why: z.string(),
      first_steps: z.array(z.string()),
      effort: level,
      impact: level,
      evidence: z.array(quote),
    }),
  ),
  lead_score: z.object({ score: z.number(), reasons: z.array(z.string()) }),
});
export const competitorAnalysis = z.object({
  market_note: z.string(),
  competitors: z.array(
    z.object({ name: z.string(), url: z.string(), positioning: z.string(), evidence: z.array(quote) }),
  ),
});

export type Quote = z.infer<typeof quote>;
export type Claim = z.infer<typeof claim>;
export type BusinessAnalysis = z.infer<typeof businessAnalysis>;
export type QuickWin = BusinessAnalysis["quick_wins"][number];
export type CompetitorAnalysis = z.infer<typeof competitorAnalysis>;

export function isSupported(evidence: readonly Quote[]): boolean {
  return evidence.some((one) => one.supported);
}

/** The score that counts: the model's once there is one, else the rules'. */
export function scoreOf(lead: { model_score: number | null; rule_score: number | null }): number | null {
  return lead.model_score ?? lead.rule_score;
}

/** Reasons of a score, as stored in a jsonb column. */
export function reasonsOf(stored: unknown): string[] {
  return Array.isArray(stored) ? stored.filter((one): one is string => typeof one === "string") : [];
}

/** A search word as a pattern of `ilike`, in which %, _ and \ stand for themselves. */
export function likePattern(words: string): string {
  return `%${words.trim().slice(0, 100).replace(/[\\%_]/g, "\\$&")}%`;
}

/** Where a lead came from, as a sentence has it: `web_form` is a web form. */
export function sourceWords(source: string): string {
  return source.replaceAll("_", " ");
}
