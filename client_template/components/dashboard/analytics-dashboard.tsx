"use client";

/**
 * <AnalyticsDashboard />: what the posts gained over a chosen period, for all networks or one, read from snapshots.
 * Not here: what counts as known (lib/analytics/figures.ts), the charts (analytics-figure.tsx), best posts and times
 * (analytics-highlights.tsx).
 */
import { useQuery } from "@tanstack/react-query";
import { ChartLine, Download } from "lucide-react";
import { useState } from "react";

import { AnalyticsFigure } from "@/components/dashboard/analytics-figure";
import { AnalyticsHighlights } from "@/components/dashboard/analytics-highlights";
import { AnalyticsMissing } from "@/components/dashboard/analytics-missing";
import { AnalyticsTiles } from "@/components/dashboard/analytics-tiles";
import { Choice } from "@/components/dashboard/choice";
import { Button } from "@/components/ui/button";
import { EmptyState } from "@/components/ui/empty-state";
import { ErrorState } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Skeleton } from "@/components/ui/skeleton";
import { analyticsRows, toCsv } from "@/lib/analytics/csv";
import { seriesOf, type FigureName } from "@/lib/analytics/figures";
import { isRangeKey, localDay, RANGES, rangeOf, type RangeKey } from "@/lib/analytics/ranges";
import { readRange, withoutUnmeasured } from "@/lib/analytics/read";
import { PLATFORM_NAMES, PLATFORMS, type Platform } from "@/lib/analytics/snapshots";
import { config } from "@/lib/config";
import { explain } from "@/lib/data-error";
import { browserClient } from "@/lib/supabase/client";

const CHARTS: readonly { name: FigureName; colour: string }[] = [
  { name: "reach", colour: "var(--color-brand-text, var(--brand))" },
  { name: "engagements", colour: "var(--good)" },
  { name: "views", colour: "var(--focus)" },
  { name: "published", colour: "var(--warn)" },
];
const ALL = "all";
const PLATFORM_OPTIONS = [
  { value: ALL, label: "All networks" },
  ...PLATFORMS.map((platform) => ({ value: platform, label: PLATFORM_NAMES[platform] })),
];
const RANGE_OPTIONS = Object.entries(RANGES).map(([value, { label }]) => ({ value, label: `Last ${label}` }));

type Props = { initialRange?: string | null; initialPlatform?: string | null; now?: Date };

export function AnalyticsDashboard({ initialRange, initialPlatform, now }: Props) {
  const [rangeKey, setRangeKey] = useState<RangeKey>(isRangeKey(initialRange) ? initialRange : "28d");
  const [platform, setPlatform] = useState<Platform | null>(PLATFORMS.find((one) => one === initialPlatform) ?? null);
  const [today] = useState(() => localDay(now ?? new Date(), config.timezone));
  const asked = rangeOf(rangeKey, today);
  const query = useQuery({
    queryKey: ["analytics", rangeKey, today],
    queryFn: () => readRange(browserClient(), rangeOf(rangeKey, today)),
    staleTime: 5 * 60_000,
  });
  const snapshots = query.data?.snapshots ?? [];
  const range = withoutUnmeasured(asked, rangeOf(rangeKey, today, 1), snapshots);
  const shown = snapshots.filter((one) => range.starts.includes(one.period_start));

  function choose(nextRange: RangeKey, nextPlatform: Platform | null) {
    setRangeKey(nextRange);
    setPlatform(nextPlatform);
    const place = new URLSearchParams({ range: nextRange, ...(nextPlatform ? { platform: nextPlatform } : {}) });
    window.history.replaceState(null, "", `?${place}`);
  }

  return (
    <div className="flex flex-col gap-6">
      <div className="flex flex-wrap items-end gap-3">
        <Field label="Period" className="w-full sm:w-44">
          <Choice
            options={RANGE_OPTIONS}
            value={rangeKey}
            onChange={(event) => isRangeKey(event.target.value) && choose(event.target.value, platform)}
          />
        </Field>
        <Field label="Network" className="w-full sm:w-44">
          <Choice
            options={PLATFORM_OPTIONS}
            value={platform ?? ALL}
            onChange={(event) => choose(rangeKey, PLATFORMS.find((one) => one === event.target.value) ?? null)}
          />
        </Field>
        <Button
          variant="secondary"
          className="sm:ml-auto"
          disabled={shown.length === 0}
          onClick={() => download(`analytics-${range.starts[0]}-${rangeKey}.csv`, toCsv(analyticsRows(snapshots, range, platform)))}
        >
          <Download aria-hidden />
          Export CSV
        </Button>
      </div>
      {query.isPending ? (
        <AnalyticsSkeleton />
      ) : query.isError ? (
        <ErrorState
          title="The figures could not be loaded"
          detail={explain(query.error)}
          retry={() => void query.refetch()}
        />
      ) : shown.length === 0 ? (
        <EmptyState title="No figures of this period yet" icon={ChartLine}>
          Posts are measured each morning at 06:00 UTC. The first figures are here on the day after the first post went
          out{RANGES[rangeKey].kind === "day" ? "" : `, those of a ${RANGES[rangeKey].kind} once it is over`}.
        </EmptyState>
      ) : (
        <>
          {query.data.unreadable ? (
            <p role="status" className="rounded-lg border border-warn/30 bg-warn/10 px-3 py-2 text-sm text-text">
              {query.data.unreadable} stored figures could not be read and are left out. Load the page again; if it stays
              so, tell DraggonnB.
            </p>
          ) : null}
          <AnalyticsTiles snapshots={snapshots} range={range} platform={platform} />
          <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
            {CHARTS.map(({ name, colour }) => (
              <AnalyticsFigure
                key={name}
                name={name}
                kind={range.kind}
                colour={colour}
                points={seriesOf(snapshots, range, name, platform)}
              />
            ))}
          </div>
          <AnalyticsMissing snapshots={shown} platform={platform} />
        </>
      )}
      <AnalyticsHighlights platform={platform} />
    </div>
  );
}

function AnalyticsSkeleton() {
  return (
    <div role="status" aria-label="Loading the figures" className="flex flex-col gap-6">
      <div className="grid grid-cols-2 gap-3 lg:grid-cols-4">
        {CHARTS.map(({ name }) => (
          <Skeleton key={name} className="h-28" />
        ))}
      </div>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <Skeleton className="h-80" />
        <Skeleton className="h-80" />
      </div>
    </div>
  );
}

function download(name: string, text: string) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv;charset=utf-8" }));
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  URL.revokeObjectURL(address);
}
