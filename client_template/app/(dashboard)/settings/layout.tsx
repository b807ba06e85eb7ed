import { PageHeading } from "@/components/dashboard/page-heading";
import { SectionNav } from "@/components/dashboard/section-nav";
import { mayReadBilling } from "@/lib/billing-right";

export default async function SettingsLayout({ children }: { children: React.ReactNode }) {
  const pages = [
    { href: "/settings", label: "Organization" },
    { href: "/settings/team", label: "Team" },
    ...((await mayReadBilling()) ? [{ href: "/settings/billing", label: "Plan and invoices" }] : []),
    { href: "/settings/checklist", label: "Setting up" },
  ];
  return (
    <div className="flex flex-col gap-6">
      <PageHeading title="Settings" />
      <SectionNav label="Settings" pages={pages} />
      {children}
    </div>
  );
}
