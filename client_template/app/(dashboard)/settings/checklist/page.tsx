import type { Metadata } from "next";

import { OnboardingChecklist } from "@/components/dashboard/onboarding-checklist";
import { can, currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Setting up" };

export default async function ChecklistPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return <OnboardingChecklist canEdit={can(person.role, "generate")} />;
}
