import type { Metadata } from "next";

import { OrganizationForm } from "@/components/dashboard/organization-form";
import { dataAs } from "@/lib/data-error";
import { ORGANIZATION_COLUMNS, type OrganizationSettings } from "@/lib/organization";
import { currentPerson } from "@/lib/session";
import { serverClient } from "@/lib/supabase/server";

export const metadata: Metadata = { title: "Settings" };

export default async function SettingsPage() {
  const person = await currentPerson();
  if (!person) return null; // the layout says why
  const client = await serverClient();
  const { id, ...stored } = dataAs<OrganizationSettings & { id: string }>(
    await client.from("organizations").select(`id, ${ORGANIZATION_COLUMNS}`).single(),
  );
  return (
    <OrganizationForm organizationId={id} stored={stored} canEdit={person.role === "owner" || person.role === "admin"} />
  );
}
