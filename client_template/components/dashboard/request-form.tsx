"use client";

/**
 * Asking for a post: what about, where, with which files, when. Checked as the webhook checks it, so that a fault shows
 * beside its field; what is typed stays for the tab until the request was accepted. Not here: what becomes of it.
 */
import { useMutation } from "@tanstack/react-query";
import { Sparkles } from "lucide-react";
import Link from "next/link";
import { useId, useRef, useState } from "react";

import { Choice } from "@/components/dashboard/choice";
import { PlatformMark } from "@/components/dashboard/platform-mark";
import { RequestMedia } from "@/components/dashboard/request-media";
import { RequestSchedule } from "@/components/dashboard/request-schedule";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";
import { CallRefused, orderContent } from "@/lib/posts/calls";
import {
  BRIEF_MAX,
  checkRequest,
  EMPTY_REQUEST,
  readRequestDraft,
  sending,
  type RequestDraft,
} from "@/lib/posts/request-draft";
import { PLATFORM_NAMES, PLATFORMS, type Platform } from "@/lib/posts/platforms";
import { useDraft } from "@/lib/use-draft";
import { cn } from "@/lib/utils/classes";

export type ConnectedAccount = { platform: Platform; name: string; isConnected: boolean };

interface RequestFormProps {
  personId: string;
  accounts: ConnectedAccount[];
  templates: string[];
  /** The request was accepted and has this id. */
  onAccepted: (requestId: string) => void;
}

export function RequestForm({ personId, accounts, templates, onAccepted }: RequestFormProps) {
  const [kept, keep] = useDraft(`request:${personId}`, readRequestDraft);
  const draft = kept ?? EMPTY_REQUEST;
  const [checkedAt, setCheckedAt] = useState<number | null>(null);
  const form = useRef<HTMLFormElement>(null);
  const send = useMutation({
    mutationFn: orderContent,
    onSuccess: ({ id }) => {
      keep(null);
      setCheckedAt(null);
      onAccepted(id);
    },
  });
  const own = checkedAt === null ? {} : checkRequest(draft, checkedAt);
  const faults = { ...(send.error instanceof CallRefused ? send.error.fields : {}), ...own };
  const change = (part: Partial<RequestDraft>) => {
    if (send.isError) send.reset();
    keep({ ...draft, ...part });
  };

  function submit(event: React.FormEvent) {
    event.preventDefault();
    const now = Date.now();
    setCheckedAt(now);
    const found = Object.keys(checkRequest(draft, now));
    if (!found.length) {
      const next = sending(draft);
      keep(next.draft);
      return send.mutate(next.order);
    }
    requestAnimationFrame(() => form.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
  }

  return (
    <form ref={form} onSubmit={submit} noValidate>
      <fieldset disabled={send.isPending} className="flex min-w-0 flex-col gap-6">
        <Field
          label="What is the post about?"
          error={faults.brief}
          hint={`What is new, for whom, what people should do, and each price. ${draft.brief.length} of ${BRIEF_MAX}.`}
        >
          <Textarea
            rows={5}
            value={draft.brief}
            onChange={(event) => change({ brief: event.target.value })}
            placeholder="Our mince pies are back: R65 for six, from 1 December, at the counter only."
          />
        </Field>
        <Networks
          accounts={accounts}
          chosen={draft.platforms}
          error={faults.platforms}
          onChange={(platforms) => change({ platforms })}
        />
        {templates.length ? (
          <Field label="Template (optional)" error={faults.template}>
            <Choice
              value={draft.template}
              options={[
                { value: "", label: "Without a template" },
                ...templates.map((name) => ({ value: name, label: name })),
              ]}
              onChange={(event) => change({ template: event.target.value })}
            />
          </Field>
        ) : null}
        <RequestMedia media={draft.media} faults={faults} onChange={(media) => change({ media })} />
        <RequestSchedule
          kind={draft.schedule}
          at={draft.publishAt}
          error={faults.publish_at ?? faults.next_free_slot ?? faults.as_soon_as_approved}
          onChange={(schedule, publishAt) => change({ schedule, publishAt })}
        />
        {send.isError ? (
          <p role="alert" className="rounded-lg border border-bad/30 bg-bad/5 p-3 text-sm">
            {send.error.message}
          </p>
        ) : null}
        <div className="flex flex-wrap items-center gap-3">
          <Button type="submit" size="lg" loading={send.isPending}>
            <Sparkles aria-hidden />
            Write the post
          </Button>
          <p className="text-sm text-text-muted">It takes a minute or two and uses one generation of your plan.</p>
        </div>
      </fieldset>
    </form>
  );
}

interface NetworksProps {
  accounts: ConnectedAccount[];
  chosen: Platform[];
  error?: string;
  onChange: (platforms: Platform[]) => void;
}

function Networks({ accounts, chosen, error, onChange }: NetworksProps) {
  const errorId = useId();
  return (
    <fieldset className="flex flex-col gap-2" aria-describedby={error ? errorId : undefined}>
      <legend className="mb-1 text-sm font-medium">Networks</legend>
      <div className="grid gap-2 sm:grid-cols-2">
        {PLATFORMS.map((platform) => {
          const own = accounts.filter((account) => account.platform === platform);
          const connected = own.filter((account) => account.isConnected);
          const why =
            connected.map((account) => account.name).join(", ") ||
            (own.length ? "needs to be connected again" : "not connected");
          return (
            <label
              key={platform}
              className={cn(
                "flex min-h-12 items-center gap-3 rounded-lg border border-line px-3 py-2 text-sm",
                "has-checked:border-brand-text has-checked:bg-brand-soft",
                connected.length ? "cursor-pointer bg-surface" : "bg-surface-muted",
              )}
            >
              <input
                type="checkbox"
                className="size-4 accent-[var(--brand)]"
                checked={chosen.includes(platform)}
                disabled={!connected.length && !chosen.includes(platform)}
                aria-invalid={error ? true : undefined}
                onChange={(event) =>
                  onChange(PLATFORMS.filter((one) => (one === platform ? event.target.checked : chosen.includes(one))))
                }
              />
              <PlatformMark platform={platform} />
              <span className="min-w-0">
                <span className="block font-medium">{PLATFORM_NAMES[platform]}</span>
                <span className="block truncate text-text-muted">{why}</span>
              </span>
            </label>
          );
        })}
      </div>
      <p className="text-[0.8125rem] text-text-muted">
        None chosen means all that are connected and can take the files.{" "}
        {accounts.some((account) => account.isConnected) ? null : (
          <Link href="/accounts" className="text-brand-text underline underline-offset-2">
            Connect an account
          </Link>
        )}
      </p>
      {error ? (
        <p id={errorId} role="alert" className="text-[0.8125rem] text-bad">
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}
