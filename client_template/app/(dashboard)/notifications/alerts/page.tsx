import type { Metadata } from "next";

import { AlertList } from "@/components/dashboard/alert-list";
import { currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Alerts" };

export default async function AlertsPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return <AlertList email={person.email} />;
}
