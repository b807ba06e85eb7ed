"use client";

/** When the signed-in person wants quiet: what can wait is held until the hours are over. */
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";

import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { config } from "@/lib/config";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { quietHours, timeField, type QuietHours } from "@/lib/notifications/quiet-hours";
import { browserClient } from "@/lib/supabase/client";

export function QuietHoursForm({ userId, stored }: { userId: string; stored: QuietHours }) {
  const [from, setFrom] = useState(timeField(stored.quiet_from));
  const [until, setUntil] = useState(timeField(stored.quiet_until));
  const [fault, setFault] = useState<string | null>(null);
  const save = useMutation({
    mutationFn: async (columns: QuietHours) => {
      const rows = dataOf<unknown[]>(await browserClient().from("users").update(columns).eq("id", userId).select("id"));
      if (rows.length === 0) throw new DataError("refused", 403, "Your session may have ended. Sign in again.");
    },
    onSuccess: (_, columns) =>
      toast.success(columns.quiet_from ? `Quiet from ${from} to ${until}` : "There are no quiet hours now"),
    onError: (error) => toast.error("The quiet hours are not stored", { description: explain(error) }),
  });

  function submit(nextFrom: string, nextUntil: string) {
    const read = quietHours(nextFrom, nextUntil);
    setFault("fault" in read ? read.fault : null);
    if ("columns" in read) save.mutate(read.columns);
  }

  return (
    <Card>
      <CardHeader>
        <CardTitle>Quiet hours</CardTitle>
        <CardDescription>
          Mails and WhatsApp messages that can wait come when they are over. Times are of {config.timezone}.
        </CardDescription>
      </CardHeader>
      <CardContent>
        <form
          noValidate
          className="flex flex-wrap items-end gap-3"
          onSubmit={(event) => {
            event.preventDefault();
            submit(from, until);
          }}
        >
          <Field label="From" className="w-32">
            <Input type="time" value={from} onChange={(event) => setFrom(event.target.value)} />
          </Field>
          <Field label="Until" className="w-32" error={fault}>
            <Input type="time" value={until} onChange={(event) => setUntil(event.target.value)} />
          </Field>
          <Button type="submit" loading={save.isPending}>
            Save
          </Button>
          <Button
            variant="ghost"
            disabled={save.isPending || (!from && !until)}
            onClick={() => {
              setFrom("");
              setUntil("");
              submit("", "");
            }}
          >
            No quiet hours
          </Button>
        </form>
      </CardContent>
    </Card>
  );
}
