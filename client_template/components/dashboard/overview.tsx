/**
 * The parts of the dashboard's first page. Each reads for itself, so that one that fails leaves the others standing.
 * Everything here runs on the server.
 */
import { CalendarClock, CircleCheck, CircleAlert, TriangleAlert } from "lucide-react";
import Link from "next/link";

import { AnalyticsTiles } from "@/components/dashboard/analytics-tiles";
import { UsageIndicator } from "@/components/dashboard/usage-indicator";
import { Badge } from "@/components/ui/badge";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { localDay, rangeOf } from "@/lib/analytics/ranges";
import { readRange, withoutUnmeasured } from "@/lib/analytics/read";
import { platformName } from "@/lib/analytics/snapshots";
import { config } from "@/lib/config";
import { attempt } from "@/lib/data-error";
import { needsOf } from "@/lib/needs-me";
import { readCounts, readNextPosts, readUsage } from "@/lib/overview";
import type { Role } from "@/lib/roles";
import { serverClient } from "@/lib/supabase/server";
import { formatMoment } from "@/lib/utils/dates";

export async function NeedsMe({ role }: { role: Role }) {
  const read = await attempt(async () => needsOf(await readCounts(await serverClient()), role));
  if (!read.ok) return <ErrorState title="What waits for you could not be loaded" detail={read.reason} />;
  if (read.data.length === 0) {
    return (
      <p className="flex items-center gap-2 text-sm text-text-muted">
        <CircleCheck className="size-5 text-good" aria-hidden />
        Nothing waits for you.
      </p>
    );
  }
  return (
    <ul className="flex flex-col gap-2">
      {read.data.map((need) => {
        const Icon = need.tone === "bad" ? CircleAlert : TriangleAlert;
        return (
          <li key={need.key}>
            <Link
              href={need.href}
              className="flex items-center gap-3 rounded-lg border border-line px-3 py-2.5 text-sm hover:bg-surface-muted"
            >
              <Icon className={need.tone === "bad" ? "size-5 shrink-0 text-bad" : "size-5 shrink-0 text-warn"} aria-hidden />
              {need.text}
            </Link>
          </li>
        );
      })}
    </ul>
  );
}

export async function LastWeek() {
  const read = await attempt(async () => {
    const today = localDay(new Date(), config.timezone);
    const range = rangeOf("7d", today);
    const { snapshots } = await readRange(await serverClient(), range);
    return { snapshots, range: withoutUnmeasured(range, rangeOf("7d", today, 1), snapshots) };
  });
  if (!read.ok) return <ErrorState title="The figures could not be loaded" detail={read.reason} />;
  const { snapshots, range } = read.data;
  if (!snapshots.some((one) => range.starts.includes(one.period_start))) {
    return (
      <EmptyState title="No figures yet">
        Posts are measured each morning at 06:00 UTC. The first figures are here on the day after the first post.
      </EmptyState>
    );
  }
  return <AnalyticsTiles snapshots={snapshots} range={range} platform={null} />;
}

export async function UsageOfPlan() {
  const read = await attempt(async () => readUsage(await serverClient()));
  if (!read.ok) return <ErrorState title="The usage could not be loaded" detail={read.reason} />;
  return <UsageIndicator usages={read.data} />;
}

export async function NextPosts() {
  const read = await attempt(async () => readNextPosts(await serverClient()));
  if (!read.ok) return <ErrorState title="The next posts could not be loaded" detail={read.reason} />;
  if (read.data.length === 0) {
    return (
      <EmptyState
        title="Nothing is planned"
        icon={CalendarClock}
        action={
          <Link className="text-sm font-medium text-brand-text underline underline-offset-4" href="/generate">
            Write a post
          </Link>
        }
      />
    );
  }
  return (
    <ol className="flex flex-col divide-y divide-line">
      {read.data.map((post) => (
        <li key={post.id} className="flex flex-col gap-1 py-3 first:pt-0 last:pb-0">
          <span className="line-clamp-2 text-sm break-words">{post.title || post.content}</span>
          <span className="flex flex-wrap items-center gap-x-2 gap-y-1 text-xs text-text-muted">
            <time dateTime={post.scheduled_for}>{formatMoment(post.scheduled_for)}</time>
            {post.platform_ids.map((platform) => (
              <Badge key={platform} variant="secondary">
                {platformName(platform)}
              </Badge>
            ))}
            {post.status === "in_review" ? <Badge variant="warn">not approved yet</Badge> : null}
          </span>
        </li>
      ))}
    </ol>
  );
}
