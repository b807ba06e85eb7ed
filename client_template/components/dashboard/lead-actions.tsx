"use client";

/** What a person does with a lead: say how it stands, give it to somebody, make a deal of it. */
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useState } from "react";

import { Choice } from "@/components/dashboard/choice";
import { DealForm } from "@/components/dashboard/deal-form";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { toast } from "@/components/ui/toast";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { LEAD_STATUS_NAMES, STATUSES_TO_SET, type LeadStatus } from "@/lib/leads";
import { browserClient } from "@/lib/supabase/client";

type LeadColumns = { status?: LeadStatus; assigned_to?: string | null };
type Props = {
  lead: { id: string; contact_id: string; status: LeadStatus; assigned_to: string | null; title: string };
  people: readonly { id: string; label: string }[];
};

export function LeadActions({ lead, people }: Props) {
  const router = useRouter();
  const [shown, setShown] = useState({ status: lead.status, assigned_to: lead.assigned_to });
  const [isMakingDeal, setIsMakingDeal] = useState(false);
  const change = useMutation({
    mutationFn: async (columns: LeadColumns) => {
      const rows = dataOf<unknown[]>(await browserClient().from("leads").update(columns).eq("id", lead.id).select("id"));
      if (rows.length === 0) throw new DataError("gone", 404, "The lead is gone, or your role does not allow it.");
    },
    onMutate: (columns) => {
      const before = shown;
      setShown({ ...shown, ...columns });
      return before;
    },
    onError: (error, _, before) => {
      if (before) setShown(before);
      toast.error("The lead stays as it was", { description: explain(error) });
    },
    onSuccess: () => router.refresh(),
  });
  const statuses = [...new Set([shown.status, ...STATUSES_TO_SET])];

  return (
    <Card>
      <CardHeader>
        <CardTitle>What next?</CardTitle>
      </CardHeader>
      <CardContent className="flex flex-col gap-4">
        <Field label="Status">
          <Choice
            options={statuses.map((status) => ({ value: status, label: LEAD_STATUS_NAMES[status] }))}
            value={shown.status}
            onChange={(event) => change.mutate({ status: event.target.value as LeadStatus })}
          />
        </Field>
        <Field label="In the hands of">
          <Choice
            options={[{ value: "", label: "Nobody yet" }, ...people.map(({ id, label }) => ({ value: id, label }))]}
            value={shown.assigned_to ?? ""}
            onChange={(event) => change.mutate({ assigned_to: event.target.value || null })}
          />
        </Field>
        {isMakingDeal ? (
          <DealForm lead={lead} onDone={() => setIsMakingDeal(false)} />
        ) : (
          <Button variant="secondary" onClick={() => setIsMakingDeal(true)}>
            Make a deal of it
          </Button>
        )}
      </CardContent>
    </Card>
  );
}
