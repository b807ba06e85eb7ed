"use client";

/**
 * From a request to a post that its reviewers have: the form, the live progress, and the post's words. The address
 * names the request or the post that is open, so that a reload and a link come back to it.
 */
import { useQuery } from "@tanstack/react-query";
import { ArrowLeft } from "lucide-react";
import { useState } from "react";

import { LatestRequests } from "@/components/dashboard/latest-requests";
import { PostEditor } from "@/components/dashboard/post-editor";
import { RequestForm, type ConnectedAccount } from "@/components/dashboard/request-form";
import { RequestProgress } from "@/components/dashboard/request-progress";
import { Button } from "@/components/ui/button";
import { Card, CardContent } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { explain } from "@/lib/data-error";
import { readPost, readRequest, type ContentRequest, type Post } from "@/lib/posts/data";
import type { Platform } from "@/lib/posts/platforms";
import { EMPTY_REQUEST, readRequestDraft } from "@/lib/posts/request-draft";
import { can, type Role } from "@/lib/roles";
import { useDraft } from "@/lib/use-draft";

const ASK_AGAIN_MS = 2_000;
const LOOK_AGAIN_MS = 15_000;
const USUAL_MS = 90_000;

type Open = { kind: "form" } | { kind: "request"; id: string } | { kind: "post"; id: string };

interface ContentGeneratorProps {
  person: { id: string; role: Role };
  accounts: ConnectedAccount[];
  templates: string[];
  /** What the address names. */
  requestId?: string;
  postId?: string;
}

export function ContentGenerator({ person, accounts, templates, requestId, postId }: ContentGeneratorProps) {
  const [open, setOpen] = useState<Open>(
    requestId ? { kind: "request", id: requestId } : postId ? { kind: "post", id: postId } : { kind: "form" },
  );
  const [, keepRequest] = useDraft(`request:${person.id}`, readRequestDraft);
  const names = accountNames(accounts);

  function show(next: Open) {
    setOpen(next);
    window.history.replaceState(null, "", next.kind === "form" ? "/generate" : `/generate?${next.kind}=${next.id}`);
  }

  if (open.kind === "form") {
    if (!can(person.role, "generate")) {
      return (
        <EmptyState title="Your role reads posts and does not ask for them">
          Owners, admins and editors can. The calendar shows what is planned.
        </EmptyState>
      );
    }
    return (
      <div className="grid grid-cols-1 items-start gap-6 xl:grid-cols-[minmax(0,2fr)_minmax(0,1fr)]">
        <Card>
          <CardContent className="pt-5">
            <RequestForm
              personId={person.id}
              accounts={accounts}
              templates={templates}
              onAccepted={(id) => show({ kind: "request", id })}
            />
          </CardContent>
        </Card>
        <LatestRequests onOpen={(id) => show({ kind: "request", id })} />
      </div>
    );
  }
  return (
    <div className="flex flex-col gap-5">
      <Button variant="ghost" className="w-fit" onClick={() => show({ kind: "form" })}>
        <ArrowLeft aria-hidden />
        {can(person.role, "generate") ? "Ask for another post" : "Back"}
      </Button>
      {open.kind === "request" ? (
        <OpenRequest
          key={open.id}
          id={open.id}
          person={person}
          accounts={names}
          onAgain={(brief) => {
            keepRequest({ ...EMPTY_REQUEST, brief });
            show({ kind: "form" });
          }}
        />
      ) : (
        <OpenPost key={open.id} id={open.id} person={person} accounts={names} />
      )}
    </div>
  );
}

interface OpenProps {
  id: string;
  person: { id: string; role: Role };
  accounts: Partial<Record<Platform, string>>;
}

function OpenRequest({ id, person, accounts, onAgain }: OpenProps & { onAgain: (brief: string) => void }) {
  const [since] = useState(() => Date.now());
  const found = useQuery({
    queryKey: ["posts", "request", id],
    queryFn: () => readRequest(id),
    // Not every window is in front while Claude writes.
    refetchIntervalInBackground: true,
    refetchInterval: ({ state }) => nextLook(state.data),
    structuralSharing: true,
  });
  if (!found.data && found.isError) {
    return (
      <ErrorState
        title="The request could not be read"
        detail={explain(found.error)}
        retry={() => void found.refetch()}
      />
    );
  }
  const { request, post } = found.data ?? { request: null, post: null };
  return (
    <Card>
      <CardContent className="flex flex-col gap-6 pt-5">
        {request ? <p className="text-sm break-words whitespace-pre-wrap text-text-muted">{request.brief}</p> : null}
        {post ? (
          <PostEditor post={post} person={person} accounts={accounts} />
        ) : (
          <RequestProgress
            request={request}
            post={post}
            isSlow={found.dataUpdatedAt - since > USUAL_MS}
            onAgain={onAgain}
          />
        )}
        {found.isError ? (
          <p role="status" className="text-sm text-warn">
            The connection is lost; this shows what was known last. Trying again.
          </p>
        ) : null}
      </CardContent>
    </Card>
  );
}

function OpenPost({ id, person, accounts }: OpenProps) {
  const found = useQuery({
    queryKey: ["posts", "one", id],
    queryFn: () => readPost(id),
    refetchInterval: LOOK_AGAIN_MS,
  });
  if (found.isPending) return <Skeleton className="h-96" />;
  if (!found.data && found.isError) {
    return (
      <ErrorState title="The post could not be read" detail={explain(found.error)} retry={() => void found.refetch()} />
    );
  }
  if (!found.data)
    return (
      <EmptyState title="There is no such post">It may have been deleted. The calendar shows the others.</EmptyState>
    );
  return (
    <Card>
      <CardContent className="pt-5">
        <PostEditor post={found.data} person={person} accounts={accounts} />
      </CardContent>
    </Card>
  );
}

/** Often while something is under way, seldom once there is a post, never after a refusal. */
function nextLook(found: { request: ContentRequest | null; post: Post | null } | undefined): number | false {
  if (found?.post) return LOOK_AGAIN_MS;
  return found?.request && ["refused", "needs_review"].includes(found.request.status) ? false : ASK_AGAIN_MS;
}

function accountNames(accounts: ConnectedAccount[]): Partial<Record<Platform, string>> {
  return Object.fromEntries(accounts.filter((one) => one.isConnected).map((one) => [one.platform, one.name]));
}
