import type { Metadata } from "next";

import { ApprovalQueue } from "@/components/dashboard/approval-queue";
import { PublishQuestions } from "@/components/dashboard/publish-questions";
import { dataOf } from "@/lib/data-error";
import { can } from "@/lib/roles";
import { currentPerson, type Person } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Approvals" };

export default async function ApprovalsPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  const isApprover = await mayDecide(person);
  return (
    <div className="flex flex-col gap-6">
      <header className="flex flex-col gap-1">
        <h1 className="text-2xl font-semibold tracking-tight">Approvals</h1>
        <p className="text-sm text-text-muted">Nothing goes out before somebody has read it here and agreed.</p>
      </header>
      <PublishQuestions mayDecide={isApprover} />
      <ApprovalQueue personId={person.id} mayDecide={isApprover} />
    </div>
  );
}

/** By role, or by a right of one's own. */
async function mayDecide(person: Person): Promise<boolean> {
  if (can(person.role, "approve")) return true;
  const client = await serverClient();
  const rights = dataOf(
    await client
      .from("user_permissions")
      .select("id")
      .eq("user_id", person.id)
      .eq("permission", "posts.approve")
      .eq("resource", "*")
      .limit(1),
  );
  return rights.length > 0;
}
