/** Whether the signed-in person may read plan and invoices: by role, or by the right billing.read. On the server. */
import "server-only";

import { cache } from "react";

import { dataOf } from "@/lib/data-error";
import { can } from "@/lib/roles";
import { currentPerson } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";

export const mayReadBilling = cache(async (): Promise<boolean> => {
  const person = await currentPerson();
  if (!person) return false;
  if (can(person.role, "see_billing")) return true;
  const client = await serverClient();
  const rights = dataOf(
    await client
      .from("user_permissions")
      .select("id")
      .eq("user_id", person.id)
      .eq("permission", "billing.read")
      .eq("resource", "*")
      .limit(1),
  );
  return rights.length > 0;
});
