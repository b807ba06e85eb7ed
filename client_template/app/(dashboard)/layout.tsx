import { redirect } from "next/navigation";

import { AppShell } from "@/components/dashboard/app-shell";
import { NoAccess } from "@/components/dashboard/no-access";
import { PersonProvider } from "@/components/dashboard/person";
import { currentSession } from "@/lib/session";

export default async function DashboardLayout({ children }: { children: React.ReactNode }) {
  const session = await currentSession();
  if (session.kind === "nobody") redirect("/login");
  if (session.kind === "stranger") return <NoAccess email={session.email} />;
  return (
    <PersonProvider person={session.person}>
      <AppShell>{children}</AppShell>
    </PersonProvider>
  );
}
