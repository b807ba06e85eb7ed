/**
 * <UsageIndicator />: how full the five limits of the plan are. From 80 % and from 100 % on it says so in words, not by
 * colour alone. Not here: the thresholds (lib/usage.ts).
 */
import { CircleAlert, TriangleAlert } from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { Progress } from "@/components/ui/progress";
import { number } from "@/lib/analytics/words";
import type { Usage } from "@/lib/usage";
import { formatDay } from "@/lib/utils/dates";

const TONES = { ok: "default", near: "warn", full: "bad" } as const;

export function UsageIndicator({ usages }: { usages: readonly Usage[] }) {
  return (
    <ul className="flex flex-col gap-4">
      {usages.map((usage) => (
        <li key={usage.metric} className="flex flex-col gap-1.5">
          <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1 text-sm">
            <span className="font-medium">{usage.label}</span>
            <span className="flex items-center gap-2 tabular-nums text-text-muted">
              <Level usage={usage} />
              {amount(usage)}
            </span>
          </div>
          {usage.percent === null ? null : (
            <Progress
              value={usage.percent}
              tone={TONES[usage.level ?? "ok"]}
              aria-label={usage.label}
              aria-valuetext={`${amount(usage)}, ${usage.percent} %`}
            />
          )}
          <Detail usage={usage} />
        </li>
      ))}
    </ul>
  );
}

function amount({ taken, limit }: Usage): string {
  if (taken === null) return "not counted yet";
  return limit === null ? `${number(taken)}, no limit` : `${number(taken)} of ${number(limit)}`;
}

function Level({ usage }: { usage: Usage }) {
  if (usage.level === "full") {
    return (
      <Badge variant="bad">
        <CircleAlert aria-hidden />
        {usage.percent !== null && usage.percent > 100 ? "Over the limit" : "Limit reached"}
      </Badge>
    );
  }
  if (usage.level === "near") {
    return (
      <Badge variant="warn">
        <TriangleAlert aria-hidden />
        80 % reached
      </Badge>
    );
  }
  return null;
}

function Detail({ usage }: { usage: Usage }) {
  const parts = [
    ...(usage.reserved > 0 ? [`${number(usage.reserved)} of these planned or in progress`] : []),
    ...(usage.resetsOn && usage.taken !== null ? [`counts from zero on ${formatDay(usage.resetsOn)}`] : []),
    ...(usage.level === "full" && !usage.resetsOn ? ["change to a larger plan for more"] : []),
  ];
  return parts.length ? <p className="text-xs text-text-muted">{parts.join("; ")}</p> : null;
}
