import { Lock } from "lucide-react";
import type { Metadata } from "next";

import { Invoices, Plan, SubscriptionHistory } from "@/components/dashboard/invoices";
import { UsageIndicator } from "@/components/dashboard/usage-indicator";
import { Card, CardContent, CardHeader, CardTitle } from "@/components/ui/card";
import { EmptyState } from "@/components/ui/empty-state";
import { localDay } from "@/lib/analytics/ranges";
import { INVOICE_COLUMNS, SUBSCRIPTION_COLUMNS, type Invoice, type SubscriptionRow } from "@/lib/billing";
import { mayReadBilling } from "@/lib/billing-right";
import { config } from "@/lib/config";
import { dataAs, dataOf } from "@/lib/data-error";
import { serverClient } from "@/lib/supabase/server";
import { usageOf } from "@/lib/usage";

export const metadata: Metadata = { title: "Plan and invoices" };

export default async function BillingPage() {
  if (!(await mayReadBilling())) {
    return (
      <EmptyState title="Plan and invoices are for owners and admins" icon={Lock}>
        An owner can give you the right to read them.
      </EmptyState>
    );
  }
  const client = await serverClient();
  const [organization, history, invoices, counters] = await Promise.all([
    client.from("organizations").select("subscription_tier, limits").single(),
    client.from("subscription_history").select(SUBSCRIPTION_COLUMNS).order("created_at", { ascending: false }).limit(24),
    client.from("invoices").select(INVOICE_COLUMNS).order("issued_at", { ascending: false }).limit(60),
    client.from("usage_counters").select("metric, period_start, period_end, used, reserved, limit_value"),
  ]);
  const { subscription_tier, limits } = dataOf(organization);
  const rows = dataAs<SubscriptionRow[]>(history);
  return (
    <>
      <div className="grid grid-cols-1 gap-4 lg:grid-cols-2">
        <Plan tier={subscription_tier} limits={limits} newest={rows[0] ?? null} />
        <Card>
          <CardHeader>
            <CardTitle>Usage</CardTitle>
          </CardHeader>
          <CardContent>
            <UsageIndicator usages={usageOf(dataOf(counters), localDay(new Date(), config.timezone))} />
          </CardContent>
        </Card>
      </div>
      <Invoices invoices={dataAs<Invoice[]>(invoices)} />
      <SubscriptionHistory rows={rows} />
    </>
  );
}
