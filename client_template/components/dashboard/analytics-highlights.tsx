"use client";

/** The posts that moved most people in the last week that is over, and when people answer best. */
import { useQuery } from "@tanstack/react-query";

import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { ErrorState } from "@/components/ui/error-state";
import { Skeleton } from "@/components/ui/skeleton";
import { readHighlights } from "@/lib/analytics/read";
import { platformName, type Highlights, type Platform } from "@/lib/analytics/snapshots";
import { hourName, number, percent, periodName, weekdayName } from "@/lib/analytics/words";
import { explain } from "@/lib/data-error";
import { webLink } from "@/lib/safe-link";
import { browserClient } from "@/lib/supabase/client";

export function AnalyticsHighlights({ platform }: { platform: Platform | null }) {
  const query = useQuery({
    queryKey: ["analytics", "highlights"],
    queryFn: () => readHighlights(browserClient()),
    staleTime: 5 * 60_000,
  });
  if (query.isPending) {
    return (
      <div role="status" aria-label="Loading the best posts and times">
        <Skeleton className="h-40" />
      </div>
    );
  }
  if (query.isError) {
    return (
      <ErrorState
        title="The best posts and times could not be loaded"
        detail={explain(query.error)}
        retry={() => void query.refetch()}
      />
    );
  }
  const { week, day } = query.data;
  if (!week && !day) return null;
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      {week ? <TopPosts week={week} platform={platform} /> : null}
      {day ? <BestTimes day={day} /> : null}
    </div>
  );
}

function TopPosts({ week, platform }: { week: Highlights; platform: Platform | null }) {
  const posts = week.top_posts.filter((post) => platform === null || post.platform === platform);
  return (
    <Card>
      <CardHeader>
        <CardTitle>Posts that moved people</CardTitle>
        <CardDescription>
          Published {periodName("week", { start: week.period_start, end: week.period_end })}, the best of all networks
        </CardDescription>
      </CardHeader>
      <CardContent>
        {posts.length ? (
          <ol className="flex flex-col gap-3 text-sm">
            {posts.map((post) => {
              const link = webLink(post.url);
              return (
                <li key={`${post.post_id} ${post.platform}`} className="flex flex-col gap-0.5">
                  <span className="break-words">{post.text || "A post without words"}</span>
                  <span className="text-text-muted">
                    {platformName(post.platform)} · {post.engagements === null ? "not known" : number(post.engagements)}{" "}
                    engagements{post.rate === null ? "" : ` · ${percent(post.rate)} took part`}
                    {link ? (
                      <>
                        {" · "}
                        <a className="text-brand-text underline underline-offset-2" href={link} target="_blank" rel="noreferrer noopener">
                          Open the post
                        </a>
                      </>
                    ) : null}
                  </span>
                </li>
              );
            })}
          </ol>
        ) : (
          <p className="text-sm text-text-muted">None of that week{platform ? " on this network" : ""}.</p>
        )}
      </CardContent>
    </Card>
  );
}

function BestTimes({ day }: { day: Highlights }) {
  return (
    <Card>
      <CardHeader>
        <CardTitle>When your people answer</CardTitle>
        <CardDescription>{day.best_times_note ?? "From your own last 90 days, all networks"}</CardDescription>
      </CardHeader>
      <CardContent>
        {day.best_times.length ? (
          <ol className="flex flex-col gap-2 text-sm">
            {day.best_times.map((time) => (
              <li key={`${time.weekday} ${time.hour}`} className="flex flex-wrap justify-between gap-x-4">
                <span>
                  {weekdayName(time.weekday)}, {hourName(time.hour)}
                </span>
                <span className="text-text-muted tabular-nums">
                  {time.rate === null ? "not known" : percent(time.rate)} ({percent(time.low)} to {percent(time.high)}),{" "}
                  {time.posts} posts
                </span>
              </li>
            ))}
          </ol>
        ) : (
          <p className="text-sm text-text-muted">There are not enough posts yet to tell.</p>
        )}
      </CardContent>
    </Card>
  );
}
