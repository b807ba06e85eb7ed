import { Share2 } from "lucide-react";
import type { Metadata } from "next";

import { AccountList } from "@/components/dashboard/account-list";
import { PageHeading } from "@/components/dashboard/page-heading";
import { EmptyState } from "@/components/ui/empty-state";
import { ACCOUNT_COLUMNS, type Account } from "@/lib/accounts";
import { dataAs, dataOf } from "@/lib/data-error";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Accounts" };

export default async function AccountsPage() {
  const client = await serverClient();
  const [accounts, waiting] = await Promise.all([
    client.from("social_accounts").select(ACCOUNT_COLUMNS).order("platform_id"),
    client.from("content_queue").select("account_id").eq("status", "scheduled").eq("part", 0).limit(1000),
  ]);
  const rows = dataAs<Account[]>(accounts);
  const counts: Record<string, number> = {};
  for (const { account_id } of dataOf(waiting)) counts[account_id] = (counts[account_id] ?? 0) + 1;
  return (
    <div className="flex flex-col gap-6">
      <PageHeading title="Accounts">The accounts that your posts go out to, and what each of them needs.</PageHeading>
      {rows.length ? (
        <AccountList accounts={rows} waiting={counts} now={new Date()} />
      ) : (
        <EmptyState title="No account is connected" icon={Share2}>
          Ask DraggonnB to connect your Facebook page, Instagram, LinkedIn or X account; posts can go out from then on.
        </EmptyState>
      )}
    </div>
  );
}
