import { PageHeading } from "@/components/dashboard/page-heading";
import { SectionNav } from "@/components/dashboard/section-nav";

const PAGES = [
  { href: "/notifications", label: "Notifications" },
  { href: "/notifications/alerts", label: "Alerts" },
  { href: "/notifications/preferences", label: "Preferences" },
];

export default function NotificationsLayout({ children }: { children: React.ReactNode }) {
  return (
    <div className="flex flex-col gap-6">
      <PageHeading title="Notifications" />
      <SectionNav label="Notifications" pages={PAGES} />
      {children}
    </div>
  );
}
