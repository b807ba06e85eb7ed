"use client";

/** Adds a person by address and role, and sends the invitation. */
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { z } from "zod";

import { Choice } from "@/components/dashboard/choice";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { toast } from "@/components/ui/toast";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { invite } from "@/lib/invitations";
import { ROLE_NAMES, ROLES, type Role } from "@/lib/roles";
import { browserClient } from "@/lib/supabase/client";
import { emailFault, rolesToGive } from "@/lib/team";
import { useDraft } from "@/lib/use-draft";

const draftSchema = z.object({ email: z.string(), name: z.string(), role: z.enum(ROLES) });
type Draft = z.infer<typeof draftSchema>;
const EMPTY: Draft = { email: "", name: "", role: "viewer" };
const readDraft = (kept: unknown): Draft | null => draftSchema.safeParse(kept).data ?? null;

export function TeamAdd({ myRole }: { myRole: Role }) {
  const cache = useQueryClient();
  const [draft, setDraft] = useDraft<Draft>("team-add", readDraft);
  const [isSent, setIsSent] = useState(false);
  const typed = draft ?? EMPTY;
  const fault = emailFault(typed.email);
  const add = useMutation({
    mutationFn: async () => {
      const answer = await browserClient()
        .from("users")
        .insert({ email: typed.email.trim(), full_name: typed.name.trim() || null, role: typed.role })
        .select("id")
        .single();
      if (answer.error?.code === "23505") throw new DataError("23505", 409, "Somebody with this address is in the team already.");
      const { id } = dataOf(answer);
      // From here on the person is added; a mail that fails can be sent again from their row.
      return invite(id).then(
        () => null,
        (error: unknown) => explain(error),
      );
    },
    onSuccess: async (problem) => {
      const who = typed.email.trim();
      if (problem) toast.warning(`${who} is in the team, but not invited`, { description: problem });
      else toast.success(`${who} is in the team`, { description: "The invitation is on its way." });
      setDraft(null);
      setIsSent(false);
      await cache.invalidateQueries({ queryKey: ["team"] });
    },
  });

  return (
    <Card>
      <CardHeader>
        <CardTitle>Add somebody</CardTitle>
        <CardDescription>They get a mail with a link to come in, and have the role that you choose.</CardDescription>
      </CardHeader>
      <CardContent>
        <form
          noValidate
          className="flex flex-col gap-4"
          onSubmit={(event) => {
            event.preventDefault();
            setIsSent(true);
            if (!fault) add.mutate();
          }}
        >
          <div className="grid grid-cols-1 gap-4 sm:grid-cols-3">
            <Field label="E-mail address" error={isSent ? fault : null}>
              <Input
                type="email"
                autoComplete="off"
                value={typed.email}
                onChange={(event) => setDraft({ ...typed, email: event.target.value })}
              />
            </Field>
            <Field label="Name">
              <Input autoComplete="off" value={typed.name} onChange={(event) => setDraft({ ...typed, name: event.target.value })} />
            </Field>
            <Field label="Role">
              <Choice
                options={rolesToGive(myRole).map((role) => ({ value: role, label: ROLE_NAMES[role] }))}
                value={typed.role}
                onChange={(event) => setDraft({ ...typed, role: event.target.value as Role })}
              />
            </Field>
          </div>
          {add.isError ? <ErrorState title="The person is not added yet" detail={explain(add.error)} /> : null}
          <Button type="submit" className="self-start" loading={add.isPending}>
            Add to the team
          </Button>
        </form>
      </CardContent>
    </Card>
  );
}
