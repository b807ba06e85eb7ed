"use client";

/** What somebody must see to. Whoever acknowledges an alert takes it on, and it goes to nobody else. */
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { CircleCheck } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Button } from "@/components/ui/button";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { toast } from "@/components/ui/toast";
import { dataAs, dataOf, explain } from "@/lib/data-error";
import { appOrWebLink } from "@/lib/safe-link";
import { browserClient } from "@/lib/supabase/client";
import { formatAgo, formatMoment } from "@/lib/utils/dates";

const KEY = ["alerts"];
const LOOK_AGAIN_MS = 60_000;
const SHOWN = 50;

export type Alert = {
  id: string;
  subject: string;
  lines: string[];
  link: string | null;
  escalate_at: string | null;
  acknowledged_by: string | null;
  acknowledged_at: string | null;
  created_at: string;
};

/** @param email of the signed-in person, under which the database records the acknowledgement. */
export function AlertList({ email }: { email: string }) {
  const cache = useQueryClient();
  const query = useQuery({
    queryKey: KEY,
    queryFn: async () =>
      dataAs<Alert[]>(
        await browserClient()
          .from("alerts")
          .select("id, subject, lines, link, escalate_at, acknowledged_by, acknowledged_at, created_at")
          .order("acknowledged_at", { ascending: false, nullsFirst: true })
          .order("created_at", { ascending: false })
          .limit(SHOWN),
      ),
    refetchInterval: LOOK_AGAIN_MS,
  });
  const acknowledge = useMutation({
    mutationFn: async (alert: Alert) =>
      dataOf<boolean>(await browserClient().rpc("acknowledge_alert", { alert_id: alert.id })),
    onMutate: async (alert) => {
      await cache.cancelQueries({ queryKey: KEY });
      const taken = { ...alert, acknowledged_by: email, acknowledged_at: new Date().toISOString() };
      cache.setQueryData<Alert[]>(KEY, (alerts) => alerts?.map((one) => (one.id === alert.id ? taken : one)));
    },
    onSuccess: (isFirst) => {
      if (!isFirst) toast.info("Somebody was quicker", { description: "It is being seen to already." });
    },
    onError: (error, alert) => {
      cache.setQueryData<Alert[]>(KEY, (alerts) => alerts?.map((one) => (one.id === alert.id ? alert : one)));
      toast.error("The alert is still open", { description: explain(error) });
    },
    onSettled: () => cache.invalidateQueries({ queryKey: KEY }),
  });

  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the alerts" className="flex flex-col gap-3">
        <Skeleton className="h-32" />
        <Skeleton className="h-32" />
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState title="The alerts could not be loaded" detail={explain(query.error)} retry={() => void query.refetch()} />
    );
  }
  if (query.data.length === 0) {
    return (
      <EmptyState title="Nothing to see to" icon={CircleCheck}>
        Posts that could not go out and accounts that stand still appear here until somebody says &ldquo;I see to
        it&rdquo;.
      </EmptyState>
    );
  }
  return (
    <ul className="flex flex-col gap-3">
      {query.data.map((alert) => (
        <li key={alert.id}>
          <AlertCard alert={alert} onAcknowledge={() => acknowledge.mutate(alert)} />
        </li>
      ))}
    </ul>
  );
}

function AlertCard({ alert, onAcknowledge }: { alert: Alert; onAcknowledge: () => void }) {
  const link = appOrWebLink(alert.link);
  const isOpen = alert.acknowledged_at === null;
  return (
    <Card>
      <CardHeader>
        <div className="flex flex-wrap items-start justify-between gap-2">
          <CardTitle className="min-w-0 break-words">{alert.subject}</CardTitle>
          {isOpen ? <Badge variant="bad">Open</Badge> : <Badge variant="good">Being seen to</Badge>}
        </div>
        <p className="text-xs text-text-muted">
          <time dateTime={alert.created_at}>{formatMoment(alert.created_at)}</time>
          {isOpen && alert.escalate_at ? ` · goes to the next person ${formatMoment(alert.escalate_at)}` : null}
          {alert.acknowledged_at ? ` · ${alert.acknowledged_by}, ${formatAgo(alert.acknowledged_at)}` : null}
        </p>
      </CardHeader>
      <CardContent className="flex flex-col gap-3 text-sm">
        {alert.lines.map((line, place) => (
          <p key={place} className="break-words whitespace-pre-line">
            {line}
          </p>
        ))}
        <div className="flex flex-wrap gap-2">
          {isOpen ? (
            <Button size="sm" onClick={onAcknowledge}>
              I see to it
              <span className="sr-only">: {alert.subject}</span>
            </Button>
          ) : null}
          {link ? (
            <Button asChild size="sm" variant="secondary">
              <a href={link} rel="noreferrer noopener">
                Open
                <span className="sr-only">: {alert.subject}</span>
              </a>
            </Button>
          ) : null}
        </div>
      </CardContent>
    </Card>
  );
}
