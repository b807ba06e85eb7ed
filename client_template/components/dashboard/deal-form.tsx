"use client";

/** A new deal from a lead. What is typed stays in this tab until it is stored or thrown away. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useState } from "react";
import { z } from "zod";

import { Button } from "@/components/ui/button";
import { ErrorState } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { dataOf, explain } from "@/lib/data-error";
import { parseMoney } from "@/lib/money";
import { browserClient } from "@/lib/supabase/client";
import { useDraft } from "@/lib/use-draft";

const draftSchema = z.object({ title: z.string(), value: z.string(), closes: z.string() });
type Draft = z.infer<typeof draftSchema>;
const readDraft = (kept: unknown): Draft | null => draftSchema.safeParse(kept).data ?? null;

type Props = { lead: { id: string; contact_id: string; title: string }; onDone: () => void };

export function DealForm({ lead, onDone }: Props) {
  const router = useRouter();
  const cache = useQueryClient();
  const [draft, setDraft] = useDraft<Draft>(`deal:${lead.id}`, readDraft);
  const [isSent, setIsSent] = useState(false);
  const typed = draft ?? { title: lead.title, value: "", closes: "" };
  const cents = typed.value.trim() === "" ? 0 : parseMoney(typed.value);
  const faults = {
    title: typed.title.trim() === "" ? "Give the deal a name." : typed.title.length > 200 ? "At most 200 characters." : null,
    value: cents === null ? "Write an amount, such as 12 500 or 12 500,00." : null,
  };
  const save = useMutation({
    mutationFn: async () =>
      dataOf(
        await browserClient()
          .from("deals")
          .insert({
            contact_id: lead.contact_id,
            lead_id: lead.id,
            title: typed.title.trim(),
            value_cents: cents ?? 0,
            expected_close_on: typed.closes || null,
          })
          .select("id")
          .single(),
      ),
    onSuccess: async () => {
      setDraft(null);
      toast.success("The deal is on the board");
      await cache.invalidateQueries({ queryKey: ["deals"] });
      router.refresh();
      onDone();
    },
  });

  return (
    <form
      noValidate
      className="flex flex-col gap-4"
      onSubmit={(event) => {
        event.preventDefault();
        setIsSent(true);
        if (!faults.title && !faults.value) save.mutate();
      }}
    >
      <Field label="Name of the deal" error={isSent ? faults.title : null}>
        <Input value={typed.title} onChange={(event) => setDraft({ ...typed, title: event.target.value })} />
      </Field>
      <Field label="Value in rand" error={isSent ? faults.value : null} hint="Without it, the deal counts as R 0.">
        <Input
          inputMode="decimal"
          value={typed.value}
          onChange={(event) => setDraft({ ...typed, value: event.target.value })}
        />
      </Field>
      <Field label="Expected to close on">
        <Input type="date" value={typed.closes} onChange={(event) => setDraft({ ...typed, closes: event.target.value })} />
      </Field>
      {save.isError ? <ErrorState title="The deal is not stored yet" detail={explain(save.error)} /> : null}
      <div className="flex flex-wrap gap-2">
        <Button type="submit" loading={save.isPending}>
          Store the deal
        </Button>
        <Button
          variant="ghost"
          onClick={() => {
            setDraft(null);
            onDone();
          }}
        >
          Cancel
        </Button>
      </div>
    </form>
  );
}
