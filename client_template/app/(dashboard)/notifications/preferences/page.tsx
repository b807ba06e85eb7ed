import type { Metadata } from "next";

import { NotificationPreferences } from "@/components/dashboard/notification-preferences";
import { QuietHoursForm } from "@/components/dashboard/quiet-hours-form";
import { dataAs } from "@/lib/data-error";
import type { QuietHours } from "@/lib/notifications/quiet-hours";
import { currentPerson } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Notification preferences" };

export default async function PreferencesPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  const client = await serverClient();
  const stored = dataAs<QuietHours>(await client.from("users").select("quiet_from, quiet_until").eq("id", person.id).single());
  return (
    <>
      <QuietHoursForm userId={person.id} stored={stored} />
      <NotificationPreferences userId={person.id} />
    </>
  );
}
