/** The connected accounts, those in trouble first, and what to do about each. */
import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { accountName, endsAt, standingOf, type Account } from "@/lib/accounts";
import { platformName } from "@/lib/analytics/snapshots";
import { formatMoment } from "@/lib/utils/dates";

const ORDER = { bad: 0, warn: 1, good: 2, secondary: 3 } as const;

/** @param waiting posts that wait to go out, by account. */
export function AccountList({ accounts, waiting, now }: { accounts: Account[]; waiting: Record<string, number>; now: Date }) {
  const rows = accounts.map((account) => ({ account, standing: standingOf(account, now) }));
  rows.sort((a, b) => ORDER[a.standing.tone] - ORDER[b.standing.tone]);
  return (
    <ul className="grid grid-cols-1 gap-4 lg:grid-cols-2">
      {rows.map(({ account, standing }) => (
        <li key={account.id}>
          <Card className="h-full">
            <CardHeader>
              <div className="flex flex-wrap items-start justify-between gap-2">
                <div className="min-w-0">
                  <CardTitle className="break-words">{accountName(account)}</CardTitle>
                  <p className="text-sm break-words text-text-muted">
                    {platformName(account.platform_id)}
                    {account.handle && account.handle !== accountName(account) ? ` · ${account.handle}` : ""}
                  </p>
                </div>
                <Badge variant={standing.tone}>{standing.label}</Badge>
              </div>
            </CardHeader>
            <CardContent className="flex flex-col gap-3 text-sm">
              <p>
                {standing.meaning}
                {account.status_reason && account.status !== "connected" ? (
                  <span className="block break-words text-text-muted">What it said: {account.status_reason}</span>
                ) : null}
              </p>
              <Dates account={account} waiting={waiting[account.id] ?? 0} />
              {standing.steps.length ? (
                <details open={standing.tone === "bad"}>
                  <summary className="w-fit cursor-pointer rounded font-medium">How to reconnect</summary>
                  <ol className="mt-2 flex list-decimal flex-col gap-1.5 pl-5">
                    {standing.steps.map((step) => (
                      <li key={step} className="break-words">
                        {step}
                      </li>
                    ))}
                  </ol>
                </details>
              ) : null}
            </CardContent>
          </Card>
        </li>
      ))}
    </ul>
  );
}

function Dates({ account, waiting }: { account: Account; waiting: number }) {
  const ends = endsAt(account);
  const rows = [
    ...(waiting ? [["Posts that wait for it", String(waiting)]] : []),
    ...(account.paused_until && account.status !== "disconnected" ? [["Tried again", formatMoment(account.paused_until)]] : []),
    ...(ends ? [["Access ends", formatMoment(ends)]] : []),
    ...(account.last_checked_at ? [["Last checked", formatMoment(account.last_checked_at)]] : []),
  ];
  if (!rows.length) return null;
  return (
    <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1">
      {rows.map(([name, text]) => (
        <div key={name} className="contents">
          <dt className="text-text-muted">{name}</dt>
          <dd>{text}</dd>
        </div>
      ))}
    </dl>
  );
}
