"use client";

import { Check, CircleAlert, LoaderCircle } from "lucide-react";
import Link from "next/link";

import { Button } from "@/components/ui/button";
import type { ContentRequest, Post } from "@/lib/posts/data";
import { cn } from "@/lib/utils/classes";

type Step = "done" | "now" | "open" | "failed";

interface RequestProgressProps {
  request: ContentRequest | null;
  post: Post | null;
  /** It takes longer than it usually does. */
  isSlow: boolean;
  /** Start again from the same brief. */
  onAgain: (brief: string) => void;
}

/** How far a request has come, told as it goes on; and why, where it ended without a post. */
export function RequestProgress({ request, post, isSlow, onAgain }: RequestProgressProps) {
  const ended = request?.status === "refused" || request?.status === "needs_review";
  const steps: [string, Step][] = [
    ["Request accepted", "done"],
    ["Accounts, files and plan checked", stepOf(request !== null, request?.status === "refused")],
    ["Words written and held against the rules", request === null ? "open" : stepOf(post !== null, ended)],
  ];
  return (
    <section aria-label="Progress" className="flex flex-col gap-4">
      <ol className="flex flex-col gap-3" aria-live="polite">
        {steps.map(([words, step]) => (
          <li key={words} className={cn("flex items-center gap-3 text-sm", step === "open" && "text-text-muted")}>
            <Mark step={step} />
            {words}
            <span className="sr-only">
              {{ done: "done", now: "under way", open: "to come", failed: "not done" }[step]}
            </span>
          </li>
        ))}
      </ol>
      {isSlow && !ended && !post ? (
        <p role="status" className="text-sm text-text-muted">
          This takes longer than usual. You may leave this page: the work goes on, and you find the post here and in the
          calendar.
        </p>
      ) : null}
      {ended ? <Ended request={request} onAgain={onAgain} /> : null}
    </section>
  );
}

function stepOf(isDone: boolean, isFailed: boolean): Step {
  if (isFailed) return "failed";
  return isDone ? "done" : "now";
}

function Mark({ step }: { step: Step }) {
  const shape = "flex size-6 shrink-0 items-center justify-center rounded-full border [&_svg]:size-3.5";
  if (step === "done")
    return (
      <span aria-hidden className={cn(shape, "border-good/40 bg-good/10 text-good")}>
        <Check />
      </span>
    );
  if (step === "failed")
    return (
      <span aria-hidden className={cn(shape, "border-bad/40 bg-bad/10 text-bad")}>
        <CircleAlert />
      </span>
    );
  if (step === "now")
    return (
      <span aria-hidden className={cn(shape, "border-line text-brand-text")}>
        <LoaderCircle className="animate-spin" />
      </span>
    );
  return <span aria-hidden className={cn(shape, "border-line")} />;
}

function Ended({ request, onAgain }: { request: ContentRequest; onAgain: (brief: string) => void }) {
  const isRefused = request.status === "refused";
  return (
    <div role="alert" className="flex flex-col gap-3 rounded-lg border border-bad/30 bg-bad/5 p-4 text-sm">
      <p className="font-medium">
        {isRefused
          ? "The request was refused; nothing was used of your plan."
          : "A person has to look at this request; nothing was used of your plan."}
      </p>
      {isRefused ? (
        <ul className="list-disc pl-5">
          {request.faults.map((fault, place) => (
            <li key={place} className="break-words">
              {fault.detail}
            </li>
          ))}
        </ul>
      ) : (
        <p className="break-words">{request.review_reason}</p>
      )}
      <div className="flex flex-wrap gap-2">
        <Button size="sm" variant="secondary" onClick={() => onAgain(request.brief)}>
          Change the request and send it again
        </Button>
        {request.faults.some((fault) => fault.field === "platforms") ? (
          <Button size="sm" variant="ghost" asChild>
            <Link href="/accounts">Look at the accounts</Link>
          </Button>
        ) : null}
      </div>
    </div>
  );
}
