"use client";

/** The people of the organization and their roles; adding one (team-add.tsx). */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";

import { Choice } from "@/components/dashboard/choice";
import { TeamAdd } from "@/components/dashboard/team-add";
import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { DataError, dataOf, explain } from "@/lib/data-error";
import { invite } from "@/lib/invitations";
import { can, ROLE_NAMES, ROLES, type Role } from "@/lib/roles";
import { browserClient } from "@/lib/supabase/client";
import { canChange, MEMBER_COLUMNS, ROLE_MEANINGS, rolesToGive, type Member } from "@/lib/team";

const KEY = ["team"];

type Change = { id: string; columns: { role?: Role; is_active?: boolean } };

export function Team({ me }: { me: { id: string; role: Role } }) {
  const cache = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () => dataOf<Member[]>(await browserClient().from("users").select(MEMBER_COLUMNS).order("email")),
  });
  const change = useMutation({
    mutationFn: async ({ id, columns }: Change) => {
      const rows = dataOf<unknown[]>(await browserClient().from("users").update(columns).eq("id", id).select("id"));
      if (rows.length === 0) throw new DataError("refused", 403, "Your role does not allow this.");
    },
    onMutate: async ({ id, columns }) => {
      await cache.cancelQueries({ queryKey: KEY });
      const before = cache.getQueryData<Member[]>(KEY)?.find((one) => one.id === id);
      cache.setQueryData<Member[]>(KEY, (people) => people?.map((one) => (one.id === id ? { ...one, ...columns } : one)));
      return before;
    },
    onError: (error, _, before) => {
      cache.setQueryData<Member[]>(KEY, (people) => people?.map((one) => (before?.id === one.id ? before : one)));
      toast.error("Nothing was changed", { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });
  const invitation = useMutation({
    mutationFn: (member: Member) => invite(member.id),
    onSuccess: (_, member) => toast.success(`The invitation to ${member.email} is on its way`),
    onError: (error) => toast.error("No invitation was sent", { description: explain(error) }),
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });

  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the team">
        <Skeleton className="h-64" />
      </div>
    );
  }
  if (query.isError) {
    return <ErrorState title="The team could not be loaded" detail={explain(query.error)} retry={() => void query.refetch()} />;
  }
  return (
    <>
      <Card>
        <CardHeader>
          <CardTitle>Team</CardTitle>
          <CardDescription>
            {query.data.filter((one) => one.is_active).length} active. Who is not active cannot sign in and sees nothing.
          </CardDescription>
        </CardHeader>
        <CardContent>
          <ul className="flex flex-col divide-y divide-line">
            {query.data.map((member) => (
              <MemberRow
                key={member.id}
                me={me}
                member={member}
                onChange={(columns) => change.mutate({ id: member.id, columns })}
                onInvite={invitation.isPending ? undefined : () => invitation.mutate(member)}
              />
            ))}
          </ul>
        </CardContent>
      </Card>
      {can(me.role, "manage_team") ? <TeamAdd myRole={me.role} /> : null}
      <Card>
        <CardHeader>
          <CardTitle>What the roles may do</CardTitle>
        </CardHeader>
        <CardContent>
          <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1 text-sm">
            {ROLES.map((role) => (
              <div key={role} className="contents">
                <dt className="font-medium">{ROLE_NAMES[role]}</dt>
                <dd className="text-text-muted">{ROLE_MEANINGS[role]}</dd>
              </div>
            ))}
          </dl>
        </CardContent>
      </Card>
    </>
  );
}

type RowProps = {
  me: { id: string; role: Role };
  member: Member;
  onChange: (columns: Change["columns"]) => void;
  /** Absent while one is on its way. */
  onInvite?: () => void;
};

function MemberRow({ me, member, onChange, onInvite }: RowProps) {
  const name = member.full_name || member.email;
  const isOpen = canChange(me, member);
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 py-3">
      <div className="min-w-0 flex-1 basis-48 text-sm">
        <p className="font-medium break-words">
          {name}
          {member.id === me.id ? " (you)" : ""}
        </p>
        {member.full_name ? <p className="break-all text-text-muted">{member.email}</p> : null}
      </div>
      {member.is_active ? null : <Badge variant="secondary">Not active</Badge>}
      {member.is_active && !member.auth_user_id ? <Badge variant="warn">Not invited yet</Badge> : null}
      {isOpen ? (
        <>
          <Choice
            aria-label={`Role of ${name}`}
            className="w-32"
            options={rolesToGive(me.role).map((role) => ({ value: role, label: ROLE_NAMES[role] }))}
            value={member.role}
            onChange={(event) => onChange({ role: event.target.value as Role })}
          />
          {member.is_active ? (
            <Button variant="secondary" size="sm" disabled={!onInvite} onClick={onInvite}>
              {member.auth_user_id ? "Invite again" : "Invite"}
              <span className="sr-only"> {name}</span>
            </Button>
          ) : null}
          <Button variant="secondary" size="sm" onClick={() => onChange({ is_active: !member.is_active })}>
            {member.is_active ? "Deactivate" : "Activate"}
            <span className="sr-only"> {name}</span>
          </Button>
        </>
      ) : (
        <Badge variant="outline">{ROLE_NAMES[member.role]}</Badge>
      )}
    </li>
  );
}
