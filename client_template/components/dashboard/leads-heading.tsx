/** The top of the pages about leads and deals. */
import { PageHeading } from "@/components/dashboard/page-heading";
import { SectionNav } from "@/components/dashboard/section-nav";

const PAGES = [
  { href: "/leads", label: "Leads" },
  { href: "/leads/deals", label: "Deals" },
];

export function LeadsHeading() {
  return (
    <>
      <PageHeading title="Leads and deals">Who wrote to you, what we found out about them, and what becomes of it.</PageHeading>
      <SectionNav label="Leads and deals" pages={PAGES} />
    </>
  );
}
