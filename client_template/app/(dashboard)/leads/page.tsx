import { Users } from "lucide-react";
import type { Metadata } from "next";
import Link from "next/link";

import { Choice } from "@/components/dashboard/choice";
import { LeadsHeading } from "@/components/dashboard/leads-heading";
import { LeadTable, type LeadRow } from "@/components/dashboard/lead-table";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { dataAs } from "@/lib/data-error";
import { isLeadStatus, LEAD_STATUS_NAMES, LEAD_STATUSES, likePattern } from "@/lib/leads";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Leads" };

const PAGE = 25;
// Two foreign keys lead from one table to the other, so the one that is meant is named.
const COLUMNS =
  "id, company_name, source, status, rule_score, model_score, received_at, " +
  "contact:contacts!leads_contact_id_fkey(name, company)";

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

function text(value: string | string[] | undefined): string {
  return typeof value === "string" ? value : "";
}

export default async function LeadsPage({ searchParams }: Props) {
  const place = await searchParams;
  const status = text(place.status);
  const words = text(place.q);
  const page = Math.max(1, Math.min(10_000, Number.parseInt(text(place.page), 10) || 1));
  const client = await serverClient();
  let query = client
    .from("leads")
    .select(COLUMNS)
    .order("received_at", { ascending: false })
    .order("id")
    // One more than is shown: whether there is a next page.
    .range((page - 1) * PAGE, page * PAGE);
  if (isLeadStatus(status)) query = query.eq("status", status);
  if (words.trim()) query = query.ilike("company_name", likePattern(words));
  const rows = dataAs<LeadRow[]>(await query);
  const address = (to: number) => `/leads?${new URLSearchParams({ ...(status && { status }), ...(words && { q: words }), page: String(to) })}`;
  return (
    <div className="flex flex-col gap-6">
      <LeadsHeading />
      <form className="flex flex-wrap items-end gap-3" role="search" aria-label="Leads">
        <Field label="Company" className="w-full sm:w-64">
          <Input type="search" name="q" defaultValue={words} maxLength={100} />
        </Field>
        <Field label="Status" className="w-full sm:w-48">
          <Choice
            name="status"
            defaultValue={status}
            options={[
              { value: "", label: "All" },
              ...LEAD_STATUSES.map((one) => ({ value: one, label: LEAD_STATUS_NAMES[one] })),
            ]}
          />
        </Field>
        <Button type="submit" variant="secondary">
          Search
        </Button>
      </form>
      {rows.length ? (
        <LeadTable leads={rows.slice(0, PAGE)} />
      ) : words || status || page > 1 ? (
        <EmptyState
          title="No lead is like that"
          icon={Users}
          action={
            <Button asChild variant="secondary">
              <Link href="/leads">Show all</Link>
            </Button>
          }
        />
      ) : (
        <EmptyState title="No leads yet" icon={Users}>
          Put the lead form on your site: whoever fills it in appears here, with an analysis of their business.
        </EmptyState>
      )}
      <nav aria-label="Pages of leads" className="flex gap-2">
        {page > 1 ? (
          <Button asChild variant="secondary" size="sm">
            <Link href={address(page - 1)}>Newer</Link>
          </Button>
        ) : null}
        {rows.length > PAGE ? (
          <Button asChild variant="secondary" size="sm">
            <Link href={address(page + 1)}>Older</Link>
          </Button>
        ) : null}
      </nav>
    </div>
  );
}
