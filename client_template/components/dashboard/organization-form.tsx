"use client";

/** The organization's settings. What is typed stays in this tab until it is stored or thrown away. */
import { useMutation } from "@tanstack/react-query";
import { useRouter } from "next/navigation";
import { useState } from "react";

import { Choice } from "@/components/dashboard/choice";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { Label } from "@/components/ui/label";
import { Switch } from "@/components/ui/switch";
import { toast } from "@/components/ui/toast";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { checkSettings, typedOf, type OrganizationSettings, type TypedSettings } from "@/lib/organization";
import { browserClient } from "@/lib/supabase/client";
import { useDraft } from "@/lib/use-draft";

const LATE_POSTS = [
  { value: "ask", label: "Ask a person" },
  { value: "publish", label: "Publish all the same" },
  { value: "drop", label: "Do not publish" },
];
const TEXTS = [
  { name: "name", label: "Name" },
  { name: "timezone", label: "Time zone", hint: "Posts are planned and days are counted in it.", list: "zones" },
  { name: "locale", label: "Language and region", hint: "How numbers and dates are written, such as en-ZA." },
  { name: "country", label: "Country", hint: "Whose public holidays count: two letters, such as ZA." },
] as const;
const NUMBERS = [
  { name: "late_after_minutes", label: "A post is late after (minutes)" },
  { name: "reminder_hours", label: "Remind approvers after (hours)" },
  { name: "escalation_hours", label: "Tell the owners after (hours)" },
  { name: "undo_hours", label: "A published post can be taken back for (hours)" },
] as const;
const SWITCHES = [
  { name: "requires_approval", label: "Posts need an approval before they go out" },
  { name: "skips_public_holidays", label: "The next free slot passes over public holidays" },
] as const;

type Props = { organizationId: string; stored: OrganizationSettings; canEdit: boolean };

export function OrganizationForm({ organizationId, stored, canEdit }: Props) {
  const router = useRouter();
  const [draft, setDraft] = useDraft<TypedSettings>(`organization:${organizationId}`, (kept) => {
    const before = typedOf(stored);
    return kept && typeof kept === "object" ? { ...before, ...kept } : null;
  });
  const [isSent, setIsSent] = useState(false);
  // Server and browser know different zones, so the list waits until it is looked at.
  const [zones, setZones] = useState<string[]>([]);
  const typed = draft ?? typedOf(stored);
  const check = checkSettings(typed);
  const faults = isSent && "faults" in check ? check.faults : {};
  const change = (columns: Partial<TypedSettings>) => setDraft({ ...typed, ...columns });
  const save = useMutation({
    mutationFn: async (columns: OrganizationSettings) => {
      const rows = dataOf<unknown[]>(
        await browserClient().from("organizations").update(columns).eq("id", organizationId).select("id"),
      );
      if (rows.length === 0) throw new DataError("refused", 403, "Only owners and admins change these settings.");
    },
    onSuccess: () => {
      setDraft(null);
      setIsSent(false);
      toast.success("The settings are stored");
      router.refresh();
    },
  });

  return (
    <Card>
      <CardHeader>
        <CardTitle>Organization</CardTitle>
        {canEdit ? null : <CardDescription>Only owners and admins change these settings.</CardDescription>}
      </CardHeader>
      <CardContent>
        <form
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            setIsSent(true);
            if ("columns" in check) save.mutate(check.columns);
          }}
        >
          <fieldset disabled={!canEdit} className="flex min-w-0 flex-col gap-5">
            <div className="grid grid-cols-1 gap-5 sm:grid-cols-2">
              {TEXTS.map(({ name, label, ...more }) => (
                <Field key={name} label={label} hint={"hint" in more ? more.hint : undefined} error={faults[name]}>
                  <Input
                    value={typed[name]}
                    list={"list" in more ? more.list : undefined}
                    onFocus={() => name === "timezone" && setZones(Intl.supportedValuesOf("timeZone"))}
                    onChange={(event) => change({ [name]: event.target.value })}
                  />
                </Field>
              ))}
              <Field label="Posts that are late">
                <Choice
                  options={LATE_POSTS}
                  value={typed.late_posts}
                  onChange={(event) => change({ late_posts: event.target.value as TypedSettings["late_posts"] })}
                />
              </Field>
              {NUMBERS.map(({ name, label }) => (
                <Field key={name} label={label} error={faults[name]}>
                  <Input inputMode="numeric" value={typed[name]} onChange={(event) => change({ [name]: event.target.value })} />
                </Field>
              ))}
            </div>
            <datalist id="zones">
              {zones.map((zone) => (
                <option key={zone} value={zone} />
              ))}
            </datalist>
            {SWITCHES.map(({ name, label }) => (
              <div key={name} className="flex items-center gap-3">
                <Switch id={name} checked={typed[name]} onCheckedChange={(isOn) => change({ [name]: isOn })} />
                <Label htmlFor={name}>{label}</Label>
              </div>
            ))}
            {save.isError ? <ErrorState title="The settings are not stored yet" detail={explain(save.error)} /> : null}
            {canEdit ? (
              <div className="flex flex-wrap gap-2">
                <Button type="submit" loading={save.isPending} disabled={draft === null}>
                  Save
                </Button>
                <Button variant="ghost" disabled={draft === null} onClick={() => setDraft(null)}>
                  Throw changes away
                </Button>
              </div>
            ) : null}
          </fieldset>
        </form>
      </CardContent>
    </Card>
  );
}
