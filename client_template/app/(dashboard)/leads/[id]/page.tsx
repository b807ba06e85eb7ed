import type { Metadata } from "next";
import Link from "next/link";
import { notFound } from "next/navigation";
import { z } from "zod";

import { WebAddress } from "@/components/dashboard/evidence-list";
import { LeadActions } from "@/components/dashboard/lead-actions";
import { BusinessAnalysisView, CompetitorsView } from "@/components/dashboard/lead-analysis";
import { LeadPages } from "@/components/dashboard/lead-pages";
import { LeadScore } from "@/components/dashboard/lead-score";
import { leadTitle } from "@/components/dashboard/lead-table";
import { PageHeading } from "@/components/dashboard/page-heading";
import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { dataAs, dataOf } from "@/lib/data-error";
import { LEAD_STATUS_NAMES, sourceWords, statusTone } from "@/lib/leads";
import { LEAD_COLUMNS, newestAnalyses, type LeadDetail } from "@/lib/leads-read";
import { can, currentPerson } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";
import { formatMoment } from "@/lib/utils/dates";

export const metadata: Metadata = { title: "Lead" };

type Props = { params: Promise<{ id: string }> };

export default async function LeadPage({ params }: Props) {
  const { id } = await params;
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  if (!z.guid().safeParse(id).success) notFound();
  const client = await serverClient();
  const [answer, analyses, evidence, people] = await Promise.all([
    client.from("leads").select(LEAD_COLUMNS).eq("id", id).maybeSingle(),
    client.from("lead_analyses").select("kind, version, content, created_at").eq("lead_id", id).order("version"),
    client.from("evidence").select("url, title, subject, fetched_at").eq("lead_id", id).order("fetched_at").limit(100),
    client.from("users").select("id, email, full_name").eq("is_active", true).order("email"),
  ]);
  const lead = dataAs<LeadDetail | null>(answer);
  if (!lead) notFound();
  const { business, competitors, isUnreadable } = newestAnalyses(dataOf(analyses));
  const title = leadTitle(lead);
  return (
    <div className="flex flex-col gap-6">
      <Link href="/leads" className="w-fit text-sm text-text-muted hover:text-text hover:underline">
        ← All leads
      </Link>
      <PageHeading title={title} action={<Badge variant={statusTone(lead.status)}>{LEAD_STATUS_NAMES[lead.status]}</Badge>}>
        Came in by {sourceWords(lead.source)}, {formatMoment(lead.received_at)}
      </PageHeading>
      {lead.status === "needs_review" && lead.review_reason ? (
        <p className="rounded-lg border border-warn/30 bg-warn/10 px-4 py-3 text-sm break-words">
          A person must look at this: {lead.review_reason}
        </p>
      ) : null}
      <div className="grid grid-cols-1 gap-6 lg:grid-cols-[minmax(0,1fr)_20rem]">
        <div className="flex min-w-0 flex-col gap-6">
          {lead.message ? (
            <Card>
              <CardHeader>
                <CardTitle>Message</CardTitle>
              </CardHeader>
              <CardContent className="text-sm leading-6 break-words whitespace-pre-line">{lead.message}</CardContent>
            </Card>
          ) : null}
          {business ? (
            <BusinessAnalysisView analysis={business} />
          ) : (
            <EmptyState title={isUnreadable ? "The analysis cannot be shown" : "No analysis yet"}>
              {isUnreadable
                ? "It was stored in a form that this app does not know. Tell DraggonnB."
                : "It is made within minutes of the first message. If a person is needed for it, it says so above."}
            </EmptyState>
          )}
          {competitors ? <CompetitorsView analysis={competitors} /> : null}
          <LeadPages pages={dataOf(evidence)} />
        </div>
        <div className="flex min-w-0 flex-col gap-6">
          {can(person.role, "edit_leads") ? (
            <LeadActions
              lead={{ id: lead.id, contact_id: lead.contact_id, status: lead.status, assigned_to: lead.assigned_to, title: title.slice(0, 200) }}
              people={dataOf(people).map((one) => ({ id: one.id, label: one.full_name || one.email }))}
            />
          ) : null}
          <Contact lead={lead} />
          <LeadScore lead={lead} />
        </div>
      </div>
    </div>
  );
}

function Contact({ lead }: { lead: LeadDetail }) {
  const { contact } = lead;
  const rows = [
    ["Name", contact?.name],
    ["Company", lead.company_name ?? contact?.company],
    ["Mail", contact?.email],
    ["Telephone", contact?.phone_e164],
  ] as const;
  const website = lead.website ?? contact?.website;
  return (
    <Card>
      <CardHeader>
        <CardTitle>Contact</CardTitle>
      </CardHeader>
      <CardContent>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
          {rows.map(([name, value]) =>
            value ? (
              <div key={name} className="contents">
                <dt className="text-text-muted">{name}</dt>
                <dd className="break-words">{value}</dd>
              </div>
            ) : null,
          )}
          {website ? (
            <div className="contents">
              <dt className="text-text-muted">Site</dt>
              <dd>
                <WebAddress address={website} />
              </dd>
            </div>
          ) : null}
        </dl>
      </CardContent>
    </Card>
  );
}
