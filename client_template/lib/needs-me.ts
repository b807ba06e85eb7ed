/** What waits for the signed-in person, as the dashboard lists it: counts become lines, in the order of their urgency. */
import { can, type Role } from "@/lib/roles";

export type Counts = {
  alerts: number;
  questions: number;
  accounts: number;
  review: number;
  sentBack: number;
  leads: number;
  usage: number;
};
export type Need = { key: keyof Counts; text: string; href: string; tone: "bad" | "warn" };

const count = (n: number, one: string, many: string) => (n === 1 ? `1 ${one}` : `${n} ${many}`);

/** Only what this role can do something about. */
export function needsOf(counts: Counts, role: Role): Need[] {
  const all: (Need & { mine: boolean })[] = [
    {
      key: "alerts",
      text: `${count(counts.alerts, "alert that nobody sees to", "alerts that nobody sees to")} yet`,
      href: "/notifications/alerts",
      tone: "bad",
      mine: true,
    },
    {
      key: "accounts",
      text: `${count(counts.accounts, "account must", "accounts must")} be looked after`,
      href: "/accounts",
      tone: "bad",
      mine: can(role, "manage_accounts"),
    },
    {
      key: "questions",
      text: `${count(counts.questions, "post asks", "posts ask")} whether to go out, or whether it did`,
      href: "/calendar",
      tone: "bad",
      mine: can(role, "approve"),
    },
    {
      key: "review",
      text: `${count(counts.review, "post waits", "posts wait")} for approval`,
      href: "/approvals",
      tone: "warn",
      mine: can(role, "approve"),
    },
    {
      key: "sentBack",
      text: `${count(counts.sentBack, "post", "posts")} to change: blocked or sent back`,
      href: "/calendar",
      tone: "warn",
      mine: can(role, "generate"),
    },
    {
      key: "leads",
      text: `${count(counts.leads, "lead needs", "leads need")} a person`,
      href: "/leads?status=needs_review",
      tone: "warn",
      mine: can(role, "edit_leads"),
    },
    {
      key: "usage",
      text: `${count(counts.usage, "limit of your plan is", "limits of your plan are")} near or reached`,
      href: can(role, "see_billing") ? "/settings/billing" : "/dashboard#usage",
      tone: "warn",
      mine: can(role, "generate"),
    },
  ];
  return all.filter((need) => need.mine && counts[need.key] > 0).map(({ key, text, href, tone }) => ({ key, text, href, tone }));
}
