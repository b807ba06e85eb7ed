/** The client's invoices, newest first, and what became of the subscription. */
import { Badge } from "@/components/ui/badge";
import { Card, CardContent, CardDescription, CardHeader, CardTitle } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { Table, TableBody, TableCell, TableHead, TableHeader, TableRow } from "@/components/ui/table";
import { INVOICE_STATES, limitsOf, SUBSCRIPTION_STATES, type Invoice, type SubscriptionRow } from "@/lib/billing";
import { number } from "@/lib/analytics/words";
import { config } from "@/lib/config";
import { formatMoney } from "@/lib/money";
import { webLink } from "@/lib/safe-link";
import { formatDay } from "@/lib/utils/dates";

export function Plan({ tier, limits, newest }: { tier: string | null; limits: unknown; newest: SubscriptionRow | null }) {
  const state = newest ? (SUBSCRIPTION_STATES[newest.status] ?? { label: newest.status, tone: "secondary" as const }) : null;
  return (
    <Card>
      <CardHeader>
        <div className="flex flex-wrap items-center gap-2">
          <CardTitle>Plan: {newest?.plan ?? tier ?? "none yet"}</CardTitle>
          {state ? <Badge variant={state.tone}>{state.label}</Badge> : null}
        </div>
        {newest ? (
          <CardDescription>
            {formatMoney(newest.amount_cents, newest.currency, config.locale)} a month, VAT included
            {newest.billing_date ? ` · next on ${formatDay(newest.billing_date)}` : ""}
          </CardDescription>
        ) : null}
      </CardHeader>
      <CardContent>
        <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-6 gap-y-1 text-sm">
          {limitsOf(limits).map(({ label, limit }) => (
            <div key={label} className="contents">
              <dt className="text-text-muted">{label}</dt>
              <dd className="tabular-nums">{limit === null ? "no limit" : number(limit)}</dd>
            </div>
          ))}
        </dl>
      </CardContent>
    </Card>
  );
}

export function Invoices({ invoices }: { invoices: readonly Invoice[] }) {
  if (!invoices.length) {
    return <EmptyState title="No invoices yet">The first one is here as soon as a payment came in.</EmptyState>;
  }
  const money = (cents: number, invoice: Invoice) => formatMoney(cents, invoice.currency, config.locale);
  return (
    <Card>
      <CardHeader>
        <CardTitle>Invoices</CardTitle>
      </CardHeader>
      <CardContent>
        <Table aria-label="Invoices">
          <TableHeader>
            <TableRow>
              <TableHead>Number</TableHead>
              <TableHead>Period</TableHead>
              <TableHead className="text-right">Net</TableHead>
              <TableHead className="text-right">VAT</TableHead>
              <TableHead className="text-right">Total</TableHead>
              <TableHead>State</TableHead>
              <TableHead>
                <span className="sr-only">Document</span>
              </TableHead>
            </TableRow>
          </TableHeader>
          <TableBody>
            {invoices.map((invoice) => (
              <TableRow key={invoice.id}>
                <TableHead scope="row">{invoice.number}</TableHead>
                <TableCell className="whitespace-nowrap">
                  {formatDay(invoice.period_start)} – {formatDay(invoice.period_end)}
                </TableCell>
                <TableCell className="text-right whitespace-nowrap tabular-nums">{money(invoice.net_cents, invoice)}</TableCell>
                <TableCell className="text-right whitespace-nowrap tabular-nums">{money(invoice.vat_cents, invoice)}</TableCell>
                <TableCell className="text-right font-medium whitespace-nowrap tabular-nums">
                  {money(invoice.amount_cents, invoice)}
                </TableCell>
                <TableCell>
                  <Badge variant={INVOICE_STATES[invoice.status].tone}>{INVOICE_STATES[invoice.status].label}</Badge>
                </TableCell>
                <TableCell>
                  <Document invoice={invoice} />
                </TableCell>
              </TableRow>
            ))}
          </TableBody>
        </Table>
      </CardContent>
    </Card>
  );
}

function Document({ invoice }: { invoice: Invoice }) {
  const link = webLink(invoice.url);
  if (!link) return null;
  return (
    <a href={link} target="_blank" rel="noreferrer noopener" className="text-brand-text underline underline-offset-2">
      Open<span className="sr-only"> invoice {invoice.number}</span>
    </a>
  );
}

export function SubscriptionHistory({ rows }: { rows: readonly SubscriptionRow[] }) {
  if (!rows.length) return null;
  return (
    <Card>
      <CardHeader>
        <CardTitle>History of the subscription</CardTitle>
      </CardHeader>
      <CardContent>
        <ul className="flex flex-col gap-2 text-sm">
          {rows.map((row) => (
            <li key={row.created_at} className="flex flex-wrap justify-between gap-x-4">
              <span>
                {row.plan}: {SUBSCRIPTION_STATES[row.status]?.label ?? row.status}
              </span>
              <time dateTime={row.created_at} className="text-text-muted">
                {formatDay(row.created_at)}
              </time>
            </li>
          ))}
        </ul>
      </CardContent>
    </Card>
  );
}
