import type { Metadata } from "next";

import { AnalyticsDashboard } from "@/components/dashboard/analytics-dashboard";
import { PageHeading } from "@/components/dashboard/page-heading";

export const metadata: Metadata = { title: "Analytics" };

type Props = { searchParams: Promise<Record<string, string | string[] | undefined>> };

export default async function AnalyticsPage({ searchParams }: Props) {
  const { range, platform } = await searchParams;
  return (
    <div className="flex flex-col gap-6">
      <PageHeading title="Analytics">
        What your posts gained, as the networks told it. A number that is not known is shown as such and never as zero.
      </PageHeading>
      <AnalyticsDashboard
        initialRange={typeof range === "string" ? range : null}
        initialPlatform={typeof platform === "string" ? platform : null}
      />
    </div>
  );
}
