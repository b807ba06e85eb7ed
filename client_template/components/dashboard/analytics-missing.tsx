/** What the figures of a range lack and why, and what stood out in it. */
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { missingOf } from "@/lib/analytics/figures";
import { platformName, type Platform, type Snapshot } from "@/lib/analytics/snapshots";

const SHOWN = 12;

type Props = { snapshots: readonly Snapshot[]; platform: Platform | null };

export function AnalyticsMissing({ snapshots, platform }: Props) {
  const missing = missingOf(snapshots, platform);
  // Anomalies are of all networks together: beside one network's figures they would mislead.
  const anomalies = platform === null ? snapshots.flatMap((one) => one.anomalies).slice(-SHOWN) : [];
  if (!missing.length && !anomalies.length) return null;
  return (
    <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      {anomalies.length ? (
        <Card>
          <CardHeader>
            <CardTitle>What stood out</CardTitle>
            <CardDescription>Against the 28 days before each day, and against nobody else.</CardDescription>
          </CardHeader>
          <CardContent>
            <ul className="flex flex-col gap-2 text-sm">
              {anomalies.map((one) => (
                <li key={`${one.day} ${one.figure}`}>{one.text}</li>
              ))}
            </ul>
          </CardContent>
        </Card>
      ) : null}
      {missing.length ? (
        <Card>
          <CardHeader>
            <CardTitle>What is missing</CardTitle>
            <CardDescription>A number that a network did not give is left out; it is never counted as zero.</CardDescription>
          </CardHeader>
          <CardContent>
            <ul className="flex flex-col gap-2 text-sm">
              {missing.slice(0, SHOWN).map((row) => (
                <li key={`${row.platform} ${row.metric} ${row.reason}`}>
                  <span className="font-medium">
                    {platformName(row.platform)}: {row.metric === "all" ? "all numbers" : row.metric.replace("_", " ")} of{" "}
                    {row.posts === 1 ? "1 post" : `${row.posts} posts`}
                  </span>
                  <span className="text-text-muted"> – {row.reason}</span>
                </li>
              ))}
              {missing.length > SHOWN ? <li className="text-text-muted">and {missing.length - SHOWN} more</li> : null}
            </ul>
          </CardContent>
        </Card>
      ) : null}
    </div>
  );
}
