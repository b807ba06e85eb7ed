/** Plan, subscription and invoices as the client's own copies have them. */
import { USAGE_METRICS, USAGE_NAMES } from "@/lib/usage";

export type SubscriptionRow = {
  plan: string;
  status: string;
  amount_cents: number;
  currency: string;
  billing_date: string | null;
  created_at: string;
};
export type Invoice = {
  id: string;
  number: string;
  kind: string;
  period_start: string;
  period_end: string;
  net_cents: number;
  vat_cents: number;
  amount_cents: number;
  currency: string;
  status: "issued" | "paid" | "void";
  issued_at: string;
  paid_at: string | null;
  url: string | null;
};
export const INVOICE_COLUMNS =
  "id, number, kind, period_start, period_end, net_cents, vat_cents, amount_cents, currency, status, issued_at, paid_at, url";
export const SUBSCRIPTION_COLUMNS = "plan, status, amount_cents, currency, billing_date, created_at";

export const SUBSCRIPTION_STATES: Record<string, { label: string; tone: "good" | "warn" | "bad" | "secondary" }> = {
  pending: { label: "Waits for the first payment", tone: "warn" },
  trial: { label: "Trial", tone: "good" },
  active: { label: "Active", tone: "good" },
  past_due: { label: "Payment overdue", tone: "bad" },
  suspended: { label: "Suspended", tone: "bad" },
  paused: { label: "Paused", tone: "warn" },
  cancelled: { label: "Cancelled", tone: "secondary" },
  expired: { label: "Ended", tone: "secondary" },
};
export const INVOICE_STATES = {
  issued: { label: "Open", tone: "warn" },
  paid: { label: "Paid", tone: "good" },
  void: { label: "Void", tone: "secondary" },
} as const;

/** What the plan allows, in the order of the metrics; a limit that is not said is left out, null is unlimited. */
export function limitsOf(limits: unknown): { label: string; limit: number | null }[] {
  if (!limits || typeof limits !== "object") return [];
  const said = limits as Record<string, unknown>;
  return USAGE_NAMES.flatMap((metric) => {
    const limit = said[metric];
    return limit === null || typeof limit === "number" ? [{ label: USAGE_METRICS[metric], limit }] : [];
  });
}
