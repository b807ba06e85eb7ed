import type { Metadata } from "next";

import { LeadsHeading } from "@/components/dashboard/leads-heading";
import { PipelineBoard } from "@/components/dashboard/pipeline-board";
import { can, currentPerson } from "@/lib/session";

export const metadata: Metadata = { title: "Deals" };

export default async function DealsPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  return (
    <div className="flex flex-col gap-6">
      <LeadsHeading />
      <PipelineBoard canEdit={can(person.role, "edit_leads")} />
    </div>
  );
}
