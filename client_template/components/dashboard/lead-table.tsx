/** Leads as rows; on phones as cards, since a table of six columns does not fit 360 px. */
import Link from "next/link";

import { Badge } from "@/components/ui/badge";
import { LEAD_STATUS_NAMES, scoreOf, sourceWords, statusTone, type LeadStatus } from "@/lib/leads";
import { formatAgo, formatMoment } from "@/lib/utils/dates";

export type LeadRow = {
  id: string;
  company_name: string | null;
  source: string;
  status: LeadStatus;
  rule_score: number | null;
  model_score: number | null;
  received_at: string;
  contact: { name: string | null; company: string | null } | null;
};

export function leadTitle(lead: Pick<LeadRow, "company_name" | "contact">): string {
  return lead.company_name || lead.contact?.company || lead.contact?.name || "A lead without a name";
}

export function LeadTable({ leads }: { leads: readonly LeadRow[] }) {
  return (
    <ul className="flex flex-col overflow-hidden rounded-xl border border-line bg-surface">
      {leads.map((lead) => (
        <li key={lead.id} className="border-b border-line last:border-0">
          <Link
            href={`/leads/${lead.id}`}
            className="flex flex-wrap items-center gap-x-4 gap-y-1 p-4 hover:bg-surface-muted"
          >
            <span className="min-w-0 flex-1 basis-56">
              <span className="block font-medium break-words">{leadTitle(lead)}</span>
              <span className="block text-sm break-words text-text-muted">
                {[lead.contact?.name, sourceWords(lead.source)].filter(Boolean).join(" · ")}
              </span>
            </span>
            <Badge variant={statusTone(lead.status)}>{LEAD_STATUS_NAMES[lead.status]}</Badge>
            <span className="w-24 text-sm text-text-muted tabular-nums">
              {scoreOf(lead) === null ? "no score yet" : `Score ${scoreOf(lead)}`}
            </span>
            <time
              dateTime={lead.received_at}
              title={formatMoment(lead.received_at)}
              className="w-32 text-right text-sm text-text-muted"
            >
              {formatAgo(lead.received_at)}
            </time>
          </Link>
        </li>
      ))}
    </ul>
  );
}
