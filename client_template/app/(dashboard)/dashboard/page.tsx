import type { Metadata } from "next";
import Link from "next/link";
import { Suspense } from "react";

import { LastWeek, NeedsMe, NextPosts, UsageOfPlan } from "@/components/dashboard/overview";
import { PageHeading } from "@/components/dashboard/page-heading";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { Skeleton } from "@/components/ui/skeleton";
import { config, hasModule } from "@/lib/config";
import { currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Dashboard" };

export default async function DashboardPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return (
    <div className="flex flex-col gap-6">
      <PageHeading title={person.fullName ? `Hello, ${person.fullName}` : "Hello"}>What is going on at {config.name}.</PageHeading>
      {hasModule("analytics") ? (
        <section aria-labelledby="last-week" className="flex flex-col gap-3">
          <div className="flex flex-wrap items-baseline justify-between gap-2">
            <h2 id="last-week" className="text-base font-semibold tracking-tight">
              The last 7 days
            </h2>
            <Link href="/analytics" className="text-sm text-brand-text underline underline-offset-4">
              All figures
            </Link>
          </div>
          <Part label="the figures">
            <LastWeek />
          </Part>
        </section>
      ) : null}
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2 xl:grid-cols-3">
        <Card>
          <CardHeader>
            <CardTitle>What needs me</CardTitle>
          </CardHeader>
          <CardContent>
            <Part label="what waits for you">
              <NeedsMe role={person.role} />
            </Part>
          </CardContent>
        </Card>
        {hasModule("publishing") ? (
          <Card>
            <CardHeader>
              <CardTitle>Next posts</CardTitle>
            </CardHeader>
            <CardContent>
              <Part label="the next posts">
                <NextPosts />
              </Part>
            </CardContent>
          </Card>
        ) : null}
        <Card id="usage">
          <CardHeader>
            <CardTitle>Usage</CardTitle>
          </CardHeader>
          <CardContent>
            <Part label="the usage">
              <UsageOfPlan />
            </Part>
          </CardContent>
        </Card>
      </div>
    </div>
  );
}

function Part({ label, children }: { label: string; children: React.ReactNode }) {
  return (
    <Suspense
      fallback={
        <div role="status" aria-label={`Loading ${label}`}>
          <Skeleton className="h-28 w-full" />
        </div>
      }
    >
      {children}
    </Suspense>
  );
}
