"use client";

/** A post of the calendar: what it says, where it stands, and another time for it. All of it works by keyboard. */
import { ExternalLink, PencilLine } from "lucide-react";
import Link from "next/link";
import { useState } from "react";

import { PlatformMark } from "@/components/dashboard/platform-mark";
import { PostState } from "@/components/dashboard/post-state";
import { Button } from "@/components/ui/button";
import { Dialog, DialogContent, DialogDescription, DialogHeader, DialogTitle } from "@/components/ui/dialog";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { config } from "@/lib/config";
import type { Post } from "@/lib/posts/data";
import { isPlatform, PLATFORM_NAMES } from "@/lib/posts/platforms";
import { POST_STATES, whyFixed } from "@/lib/posts/states";
import { asFieldValue, publishTime, type Resolved } from "@/lib/posts/wall-time";
import type { Role } from "@/lib/roles";
import { webLink } from "@/lib/safe-link";
import { formatMoment } from "@/lib/utils/dates";

interface MoveDialogProps {
  post: Post;
  role: Role;
  onClose: () => void;
  onMove: (post: Post, at: Resolved) => void;
}

export function MoveDialog({ post, role, onClose, onMove }: MoveDialogProps) {
  const fixed = whyFixed(post, role);
  return (
    <Dialog open onOpenChange={(isOpen) => (isOpen ? undefined : onClose())}>
      <DialogContent>
        <DialogHeader>
          <DialogTitle className="break-words">{post.title ?? "Post without a title"}</DialogTitle>
          <DialogDescription>
            {post.scheduled_for ? formatMoment(post.scheduled_for) : "Without a time"} · {config.timezone}
          </DialogDescription>
        </DialogHeader>
        <div className="flex flex-wrap items-center gap-2 text-sm">
          <PostState status={post.status} />
          <span className="text-text-muted">{POST_STATES[post.status].means}</span>
        </div>
        <p className="line-clamp-6 text-sm break-words whitespace-pre-wrap">{post.content}</p>
        {post.last_error ? <p className="text-sm break-words text-bad">{post.last_error}</p> : null}
        <Outcomes post={post} />
        {fixed === null ? (
          <MoveForm key={post.scheduled_for} post={post} onMove={onMove} />
        ) : (
          <p className="rounded-lg bg-surface-muted px-3 py-2 text-sm">{fixed}</p>
        )}
        <Button asChild variant="secondary" className="w-fit">
          <Link href={`/generate?post=${post.id}`}>
            <PencilLine aria-hidden />
            Open the post
          </Link>
        </Button>
      </DialogContent>
    </Dialog>
  );
}

function MoveForm({ post, onMove }: { post: Post; onMove: (post: Post, at: Resolved) => void }) {
  const [at, setAt] = useState(() => (post.scheduled_for ? asFieldValue(post.scheduled_for, config.timezone) : ""));
  const [error, setError] = useState<string | null>(null);

  function submit(event: React.FormEvent) {
    event.preventDefault();
    const answer = publishTime(at, config.timezone, Date.now());
    if (!answer.ok) return setError(`This time ${answer.reason}.`);
    onMove(post, answer.at);
  }

  return (
    <form onSubmit={submit} noValidate className="flex flex-col gap-3 sm:flex-row sm:items-start">
      <Field label="Goes out" error={error} hint={`Wall time in ${config.timezone}`} className="flex-1">
        <Input
          type="datetime-local"
          value={at}
          onChange={(event) => {
            setError(null);
            setAt(event.target.value);
          }}
        />
      </Field>
      <Button type="submit" className="sm:mt-6.5">
        Move
      </Button>
    </form>
  );
}

/** Where it is public by now. */
function Outcomes({ post }: { post: Post }) {
  const rows = post.queue.filter((row) => row.part === 0 && row.published_at !== null);
  if (!rows.length) return null;
  return (
    <ul className="flex flex-col gap-1 text-sm">
      {rows.map((row, place) => {
        const address = webLink(row.platform_url);
        const name = isPlatform(row.platform_id) ? PLATFORM_NAMES[row.platform_id] : row.platform_id;
        return (
          <li key={place} className="flex items-center gap-2">
            {isPlatform(row.platform_id) ? <PlatformMark platform={row.platform_id} /> : null}
            {name}, {formatMoment(row.published_at ?? "")}
            {address ? (
              <a
                href={address}
                target="_blank"
                rel="noopener noreferrer"
                className="inline-flex items-center gap-1 text-brand-text underline underline-offset-2"
              >
                Open
                <span className="sr-only"> on {name}, in a new window</span>
                <ExternalLink className="size-3.5" aria-hidden />
              </a>
            ) : null}
          </li>
        );
      })}
    </ul>
  );
}
