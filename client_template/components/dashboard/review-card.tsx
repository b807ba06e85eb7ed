"use client";

/** One post as it would go out, and the decision about it: approve, ask for a change, reject. */
import { Check, PencilLine, X } from "lucide-react";
import Link from "next/link";
import { useRef, useState } from "react";

import { ContentChanges } from "@/components/dashboard/content-changes";
import { PostFindings } from "@/components/dashboard/post-findings";
import { PostPreview } from "@/components/dashboard/post-preview";
import { Button } from "@/components/ui/button";
import { Card, CardContent } from "@/components/ui/card";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";
import type { ReviewDecision } from "@/lib/posts/calls";
import type { Post } from "@/lib/posts/data";
import { goesOutOnApproval } from "@/lib/posts/states";
import { useDraft } from "@/lib/use-draft";
import { useShortcuts } from "@/lib/use-shortcuts";
import { formatMoment } from "@/lib/utils/dates";

const COMMENT_MAX = 4000;

interface ReviewCardProps {
  /** The content that is on the screen. */
  seen: Post;
  /** The content as it is stored now. */
  latest: Post;
  personId: string;
  mayDecide: boolean;
  hasShortcuts: boolean;
  /** The new content was read and takes the place of what was seen. */
  onRead: () => void;
  onDecide: (decision: ReviewDecision, comment: string, onDone: () => void) => void;
}

export function ReviewCard({ seen, latest, personId, mayDecide, hasShortcuts, onRead, onDecide }: ReviewCardProps) {
  const [kept, keep] = useDraft(`decision:${personId}:${seen.id}`, (value) =>
    typeof value === "string" ? value : null,
  );
  const [error, setError] = useState<string | null>(null);
  const field = useRef<HTMLTextAreaElement>(null);
  const comment = kept ?? "";
  const isChanged = latest.content_hash !== seen.content_hash;
  const isOpen = mayDecide && !isChanged;

  function choose(decision: ReviewDecision) {
    if (!isOpen) return;
    if (decision !== "approve" && !comment.trim()) {
      setError("Say why, so that its editors can mend it.");
      field.current?.focus();
      return;
    }
    setError(null);
    onDecide(decision, decision === "approve" ? "" : comment.trim(), () => keep(null));
  }

  useShortcuts(hasShortcuts && isOpen, {
    a: () => choose("approve"),
    c: () => choose("request_changes"),
    r: () => choose("reject"),
  });

  const moment = goesOutOnApproval(seen)
    ? "As soon as approved"
    : latest.scheduled_for
      ? formatMoment(latest.scheduled_for)
      : undefined;
  return (
    <Card>
      <CardContent className="flex flex-col gap-5 pt-5">
        <header className="flex flex-col gap-1">
          <h3 className="text-lg font-semibold tracking-tight break-words">{seen.title ?? "Post without a title"}</h3>
          <p className="text-sm text-text-muted">
            {moment ? `Goes out: ${moment}.` : "It has no time yet."}
            {seen.request?.requested_by ? ` Asked for by ${seen.request.requested_by}.` : ""}
          </p>
        </header>
        {isChanged ? <ContentChanges before={seen} after={latest} onRead={onRead} /> : null}
        <PostFindings findings={latest.findings} lastError={latest.last_error} />
        <div className="grid grid-cols-1 items-start gap-5 xl:grid-cols-2">
          {seen.platform_ids.map((platform) => (
            <PostPreview
              key={platform}
              platform={platform}
              variant={seen.variants[platform] ?? { text: "", thread: [], first_comment: null }}
              media={seen.media}
              moment={moment}
              isWhole
            />
          ))}
        </div>
        {mayDecide ? (
          <div className="flex flex-col gap-4 border-t border-line pt-5">
            <Field
              label="Reason"
              error={error}
              hint="Needed to ask for a change or to reject; its editors read it. An approval needs none."
            >
              <Textarea
                ref={field}
                value={comment}
                maxLength={COMMENT_MAX}
                onChange={(event) => {
                  setError(null);
                  keep(event.target.value || null);
                }}
              />
            </Field>
            <div className="flex flex-wrap gap-2">
              <Button
                onClick={() => choose("approve")}
                disabled={!isOpen}
                aria-keyshortcuts={hasShortcuts ? "A" : undefined}
              >
                <Check aria-hidden />
                Approve
              </Button>
              <Button
                variant="secondary"
                onClick={() => choose("request_changes")}
                disabled={!isOpen}
                aria-keyshortcuts={hasShortcuts ? "C" : undefined}
              >
                <PencilLine aria-hidden />
                Ask for a change
              </Button>
              <Button
                variant="destructive"
                onClick={() => choose("reject")}
                disabled={!isOpen}
                aria-keyshortcuts={hasShortcuts ? "R" : undefined}
              >
                <X aria-hidden />
                Reject
              </Button>
              <Button asChild variant="ghost">
                <Link href={`/generate?post=${seen.id}`}>Open in the editor</Link>
              </Button>
            </div>
          </div>
        ) : (
          <p className="border-t border-line pt-4 text-sm text-text-muted">
            Your role may read what waits here. Owners, admins and approvers decide.
          </p>
        )}
      </CardContent>
    </Card>
  );
}
