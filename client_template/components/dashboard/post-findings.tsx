import { CircleAlert, TriangleAlert } from "lucide-react";

import type { Finding } from "@/lib/posts/data";
import { platformNames } from "@/lib/posts/platforms";

/** What the checks before scheduling say about a post: what blocks it first. */
export function PostFindings({ findings, lastError }: { findings: readonly Finding[]; lastError?: string | null }) {
  const told = lastError && !findings.some((finding) => finding.reason === lastError);
  const all: Finding[] = [
    ...findings,
    ...(told ? [{ rule: "last_error", severity: "block", platform: null, reason: lastError } as const] : []),
  ];
  if (!all.length) return null;
  const sorted = all.toSorted((a, b) => a.severity.localeCompare(b.severity));
  return (
    <section aria-label="What the checks found">
      <ul className="flex flex-col gap-2">
        {sorted.map((finding, place) => (
          <li
            key={place}
            className="flex items-start gap-2 rounded-lg border border-line bg-surface-muted px-3 py-2 text-sm"
          >
            {finding.severity === "block" ? (
              <CircleAlert className="mt-0.5 size-4 shrink-0 text-bad" aria-hidden />
            ) : (
              <TriangleAlert className="mt-0.5 size-4 shrink-0 text-warn" aria-hidden />
            )}
            <span className="min-w-0 break-words">
              <strong className="font-medium">{finding.severity === "block" ? "Blocks" : "Note"}</strong>
              {finding.platform ? ` · ${platformNames([finding.platform])}` : ""}: {finding.reason}
            </span>
          </li>
        ))}
      </ul>
    </section>
  );
}
