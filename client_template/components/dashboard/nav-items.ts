/** The places of the app, in the order of its menu. A place appears where its module is switched on. */
import {
  BarChart3,
  CalendarDays,
  CheckCheck,
  LayoutDashboard,
  Settings,
  Share2,
  Sparkles,
  Users,
  type LucideIcon,
} from "lucide-react";

import { hasModule, type Module } from "@/lib/config";
import { can, type Action, type Role } from "@/lib/roles";

export interface Place {
  href: string;
  name: string;
  icon: LucideIcon;
  group: "Work" | "Results" | "Organization";
  module?: Module;
  action?: Action;
  /** Under one's thumb on phones; the others are behind More. */
  isMain?: boolean;
}

const PLACES: readonly Place[] = [
  { href: "/dashboard", name: "Dashboard", icon: LayoutDashboard, group: "Work", isMain: true },
  { href: "/generate", name: "Generate", icon: Sparkles, group: "Work", module: "content", action: "generate", isMain: true },
  { href: "/calendar", name: "Calendar", icon: CalendarDays, group: "Work", module: "publishing", isMain: true },
  { href: "/approvals", name: "Approvals", icon: CheckCheck, group: "Work", module: "content", isMain: true },
  { href: "/leads", name: "Leads", icon: Users, group: "Results", module: "leads", action: "see_leads" },
  { href: "/analytics", name: "Analytics", icon: BarChart3, group: "Results", module: "analytics" },
  { href: "/accounts", name: "Accounts", icon: Share2, group: "Organization", module: "publishing" },
  { href: "/settings", name: "Settings", icon: Settings, group: "Organization" },
];

/** What this role is offered. */
export function placesFor(role: Role): Place[] {
  return PLACES.filter(({ module, action }) => (!module || hasModule(module)) && (!action || can(role, action)));
}

export function isAt(pathname: string, href: string): boolean {
  return pathname === href || pathname.startsWith(`${href}/`);
}
