/** One lead with everything that its page shows: which columns, and the newest analyses that can be read. */
import { businessAnalysis, competitorAnalysis, type BusinessAnalysis, type CompetitorAnalysis, type LeadStatus } from "@/lib/leads";

// Two foreign keys lead from one table to the other, so the one that is meant is named.
export const LEAD_COLUMNS =
  "id, contact_id, source, status, assigned_to, company_name, website, message, received_at, review_reason, " +
  "rule_score, rule_score_reasons, model_score, model_score_reasons, " +
  "contact:contacts!leads_contact_id_fkey(name, company, email, phone_e164, website)";

export type LeadDetail = {
  id: string;
  contact_id: string;
  source: string;
  status: LeadStatus;
  assigned_to: string | null;
  company_name: string | null;
  website: string | null;
  message: string | null;
  received_at: string;
  review_reason: string | null;
  rule_score: number | null;
  rule_score_reasons: unknown;
  model_score: number | null;
  model_score_reasons: unknown;
  contact: {
    name: string | null;
    company: string | null;
    email: string | null;
    phone_e164: string | null;
    website: string | null;
  } | null;
};

type Stored = { kind: string; version: number; content: unknown };

/** @param rows of one lead, in the order of their versions. */
export function newestAnalyses(rows: readonly Stored[]): {
  business: BusinessAnalysis | null;
  competitors: CompetitorAnalysis | null;
  isUnreadable: boolean;
} {
  const newest = (kind: string) => rows.findLast((row) => row.kind === kind)?.content;
  const business = businessAnalysis.safeParse(newest("business"));
  const competitors = competitorAnalysis.safeParse(newest("competitors"));
  return {
    business: business.data ?? null,
    competitors: competitors.data ?? null,
    isUnreadable: newest("business") !== undefined && !business.success,
  };
}
