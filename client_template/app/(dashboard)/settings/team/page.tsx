import type { Metadata } from "next";

import { Team } from "@/components/dashboard/team";
import { currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Team" };

export default async function TeamPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return <Team me={{ id: person.id, role: person.role }} />;
}
