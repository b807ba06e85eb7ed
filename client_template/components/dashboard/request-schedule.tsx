"use client";

import { useId } from "react";

import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { config } from "@/lib/config";
import type { ScheduleKind } from "@/lib/posts/request-draft";

const KINDS: { kind: ScheduleKind; label: string; hint: string }[] = [
  { kind: "next_free_slot", label: "Next free slot", hint: "The first of your posting times that is still free" },
  { kind: "as_soon_as_approved", label: "As soon as it is approved", hint: "At once after the last yes" },
  { kind: "publish_at", label: "At a time of my choice", hint: `Wall time in ${config.timezone}` },
];

interface RequestScheduleProps {
  kind: ScheduleKind;
  /** As a field of type datetime-local has it. */
  at: string;
  error?: string;
  onChange: (kind: ScheduleKind, at: string) => void;
}

/** When the post is to appear. */
export function RequestSchedule({ kind, at, error, onChange }: RequestScheduleProps) {
  const name = useId();
  return (
    <fieldset className="flex flex-col gap-2">
      <legend className="mb-1 text-sm font-medium">When shall it go out?</legend>
      <div className="grid gap-2 sm:grid-cols-3">
        {KINDS.map((one) => (
          <label
            key={one.kind}
            className={
              "flex cursor-pointer items-start gap-3 rounded-lg border border-line bg-surface px-3 py-2 text-sm " +
              "has-checked:border-brand-text has-checked:bg-brand-soft"
            }
          >
            <input
              type="radio"
              name={name}
              className="mt-0.5 size-4 accent-[var(--brand)]"
              checked={kind === one.kind}
              onChange={() => onChange(one.kind, at)}
            />
            <span>
              <span className="block font-medium">{one.label}</span>
              <span className="block text-text-muted">{one.hint}</span>
            </span>
          </label>
        ))}
      </div>
      {kind === "publish_at" ? (
        <Field
          label="Day and time"
          error={error}
          hint={`In ${config.timezone}, whatever zone you are in`}
          className="sm:max-w-xs"
        >
          <Input type="datetime-local" value={at} onChange={(event) => onChange(kind, event.target.value)} />
        </Field>
      ) : error ? (
        <p role="alert" className="text-[0.8125rem] text-bad">
          {error}
        </p>
      ) : null}
    </fieldset>
  );
}
