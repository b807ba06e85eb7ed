/**
 * The pipeline of deals: its stages, what a move to another one writes, and what it shows meanwhile.
 * Not here: the board (components/dashboard/pipeline-board.tsx) and where the rows come from.
 */

export const STAGES = ["qualified", "proposal", "negotiation", "won", "lost"] as const;
export type Stage = (typeof STAGES)[number];
export const STAGE_NAMES: Record<Stage, string> = {
  qualified: "Qualified",
  proposal: "Proposal",
  negotiation: "Negotiation",
  won: "Won",
  lost: "Lost",
};

export function isStage(text: unknown): text is Stage {
  return STAGES.some((stage) => stage === text);
}

export type Deal = {
  id: string;
  title: string;
  value_cents: number;
  currency: string;
  stage: Stage;
  probability: number;
  expected_close_on: string | null;
  closed_at: string | null;
  lost_reason: string | null;
  lead_id: string | null;
  contact: { name: string | null; company: string | null } | null;
};

export type Move = { id: string; from: Stage; to: Stage };

/** The columns that a move writes. The database wants closed_at exactly for deals that are won or lost. */
export function moveColumns(to: Stage, now: Date): { stage: Stage; closed_at: string | null; lost_reason?: null } {
  const isClosed = to === "won" || to === "lost";
  const columns = { stage: to, closed_at: isClosed ? now.toISOString() : null };
  return to === "lost" ? columns : { ...columns, lost_reason: null };
}

/** The deals as they look once the move is stored; the same list if it changes nothing. */
export function moved(deals: readonly Deal[], move: Move, now: Date): readonly Deal[] {
  const deal = deals.find((one) => one.id === move.id);
  if (!deal || deal.stage !== move.from || move.from === move.to) return deals;
  return deals.map((one) => (one === deal ? { ...one, ...moveColumns(move.to, now) } : one));
}

/** Each stage with its deals: those that close first come first, undated ones last. */
export function byStage(deals: readonly Deal[]): Record<Stage, Deal[]> {
  const stages: Record<Stage, Deal[]> = { qualified: [], proposal: [], negotiation: [], won: [], lost: [] };
  const closing = (deal: Deal) => deal.expected_close_on ?? "9999";
  for (const deal of deals) stages[deal.stage].push(deal);
  for (const stage of STAGES) {
    stages[stage].sort((a, b) => closing(a).localeCompare(closing(b)) || a.title.localeCompare(b.title));
  }
  return stages;
}
