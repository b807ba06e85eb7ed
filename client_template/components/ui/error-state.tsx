"use client";

import { RotateCcw, TriangleAlert } from "lucide-react";

import { Button } from "@/components/ui/button";
import { cn } from "@/lib/utils/classes";

interface ErrorStateProps {
  /** What happened. */
  title: string;
  /** What it means, and what to do. */
  detail?: string;
  retry?: () => void;
  className?: string;
}

export function ErrorState({ title, detail, retry, className }: ErrorStateProps) {
  return (
    <div
      role="alert"
      className={cn(
        "flex flex-col items-center gap-3 rounded-xl border border-bad/30 bg-bad/5 px-6 py-10 text-center",
        className,
      )}
    >
      <span className="flex size-12 items-center justify-center rounded-full bg-bad/10 text-bad">
        <TriangleAlert className="size-6" aria-hidden />
      </span>
      <div className="flex max-w-md flex-col gap-1">
        <p className="font-semibold text-text">{title}</p>
        {detail ? <p className="text-sm leading-6 text-text-muted">{detail}</p> : null}
      </div>
      {retry ? (
        <Button variant="secondary" onClick={retry} className="mt-1">
          <RotateCcw aria-hidden />
          Try again
        </Button>
      ) : null}
    </div>
  );
}
