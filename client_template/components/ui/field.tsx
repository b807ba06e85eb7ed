"use client";

import { CircleAlert } from "lucide-react";
import { cloneElement, useId, type ReactElement, type ReactNode } from "react";

import { Label } from "@/components/ui/label";
import { cn } from "@/lib/utils/classes";

interface Control {
  id?: string;
  "aria-describedby"?: string;
  "aria-invalid"?: boolean | "true" | "false" | "grammar" | "spelling";
}

interface FieldProps {
  label: ReactNode;
  /** What is wrong and what to do; read out by screen readers when it appears. */
  error?: string | null;
  hint?: ReactNode;
  className?: string;
  /** One control (Input, Textarea, SelectTrigger, ...): it gets the id and the descriptions. */
  children: ReactElement<Control>;
}

/** A control with its label, a hint and its error. */
export function Field({ label, error, hint, className, children }: FieldProps) {
  const made = useId();
  const id = children.props.id ?? made;
  const hintId = `${id}-hint`;
  const errorId = `${id}-error`;
  const described = [children.props["aria-describedby"], hint ? hintId : null, error ? errorId : null];
  return (
    <div className={cn("flex flex-col gap-1.5", className)}>
      <Label htmlFor={id}>{label}</Label>
      {cloneElement(children, {
        id,
        "aria-describedby": described.filter(Boolean).join(" ") || undefined,
        "aria-invalid": error ? true : children.props["aria-invalid"],
      })}
      {hint ? (
        <p id={hintId} className="text-[0.8125rem] leading-5 text-text-muted">
          {hint}
        </p>
      ) : null}
      <div aria-live="polite" className={error ? undefined : "sr-only"}>
        {error ? (
          <p id={errorId} className="flex items-start gap-1.5 text-[0.8125rem] leading-5 text-bad">
            <CircleAlert className="mt-0.5 size-4 shrink-0" aria-hidden />
            {error}
          </p>
        ) : null}
      </div>
    </div>
  );
}
