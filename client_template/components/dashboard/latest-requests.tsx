"use client";

import { useQuery } from "@tanstack/react-query";

import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { explain } from "@/lib/data-error";
import { latestRequests, type ContentRequest } from "@/lib/posts/data";
import { formatAgo } from "@/lib/utils/dates";

const STATES: Record<ContentRequest["status"], { label: string; tone: "default" | "good" | "bad" | "warn" }> = {
  received: { label: "Under way", tone: "default" },
  generated: { label: "Written", tone: "good" },
  refused: { label: "Refused", tone: "bad" },
  needs_review: { label: "Waits for a person", tone: "warn" },
};

/** The newest requests of everybody, for going on with one of them. */
export function LatestRequests({ onOpen }: { onOpen: (id: string) => void }) {
  const found = useQuery({ queryKey: ["posts", "requests"], queryFn: latestRequests });
  return (
    <Card>
      <CardHeader>
        <CardTitle>Latest requests</CardTitle>
      </CardHeader>
      <CardContent>
        {found.isPending ? (
          <div className="flex flex-col gap-2">
            <span className="sr-only">Loading the latest requests</span>
            <Skeleton className="h-14" />
            <Skeleton className="h-14" />
          </div>
        ) : found.isError ? (
          <ErrorState
            title="The latest requests could not be read"
            detail={explain(found.error)}
            retry={() => void found.refetch()}
          />
        ) : found.data.length ? (
          <ul className="flex flex-col gap-1">
            {found.data.map((request) => (
              <li key={request.id}>
                <button
                  type="button"
                  onClick={() => onOpen(request.id)}
                  className={
                    "flex w-full cursor-pointer flex-col items-start gap-1 rounded-lg px-2 py-2 text-left text-sm " +
                    "hover:bg-surface-muted"
                  }
                >
                  <span className="line-clamp-2 break-words">{request.brief}</span>
                  <span className="flex items-center gap-2 text-xs text-text-muted">
                    <Badge variant={STATES[request.status].tone}>{STATES[request.status].label}</Badge>
                    {formatAgo(request.received_at)}
                  </span>
                </button>
              </li>
            ))}
          </ul>
        ) : (
          <p className="text-sm text-text-muted">Nothing was asked for yet. Your first request will stand here.</p>
        )}
      </CardContent>
    </Card>
  );
}
