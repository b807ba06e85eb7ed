/** Settings, team, checklist and money: faults are named before anything is sent, and refusals change nothing. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { Invoices, Plan } from "@/components/dashboard/invoices";
import { OnboardingChecklist } from "@/components/dashboard/onboarding-checklist";
import { OrganizationForm } from "@/components/dashboard/organization-form";
import { Team } from "@/components/dashboard/team";
import type { Invoice } from "@/lib/billing";
import type { OrganizationSettings } from "@/lib/organization";
import type { Role } from "@/lib/roles";
import { canChange, rolesToGive, type Member } from "@/lib/team";
import { changes, network, open } from "./posts-stage";

vi.mock("next/navigation", () => ({ useRouter: () => ({ refresh() {} }) }));

const STORED: OrganizationSettings = {
  name: "Kloof Coffee",
  timezone: "Africa/Johannesburg",
  locale: "en-ZA",
  country: "ZA",
  requires_approval: true,
  skips_public_holidays: true,
  late_posts: "ask",
  late_after_minutes: 60,
  reminder_hours: 24,
  escalation_hours: 48,
  undo_hours: 24,
};
const form = (canEdit = true) => open(<OrganizationForm organizationId="o" stored={STORED} canEdit={canEdit} />);

test("each fault stands at its field, and nothing is sent", async () => {
  const { user } = form();
  const minutes = screen.getByRole("textbox", { name: "A post is late after (minutes)" });
  const zone = screen.getByRole("combobox", { name: "Time zone" });

  await user.clear(minutes);
  await user.clear(zone);
  await user.type(zone, "Kloof/Street");
  await user.click(screen.getByRole("button", { name: "Save" }));

  expect(minutes).toHaveAccessibleDescription(/Write a whole number/);
  expect(zone).toHaveAccessibleDescription(/Choose one of the list/);
  expect(changes()).toEqual([]);
});

test("settings that fail to be stored stay typed, also over a reload, until they are stored", async () => {
  let isDown = true;
  network(() => (isDown ? { status: 500, body: { message: "down" } } : { body: [{ id: "o" }] }));
  const first = form();
  const minutes = () => screen.getByRole("textbox", { name: "A post is late after (minutes)" });
  await first.user.clear(minutes());
  await first.user.type(minutes(), "90");
  await first.user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("The settings are not stored yet")).toBeVisible();
  first.unmount();

  isDown = false;
  const second = form();
  expect(minutes()).toHaveValue("90");
  await second.user.click(screen.getByRole("button", { name: "Save" }));

  expect(await screen.findByText("The settings are stored")).toBeVisible();
  expect(changes().at(-1)?.body).toEqual({ ...STORED, late_after_minutes: 90 });
  expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();
});

test("who may not change the settings reads them", () => {
  form(false);

  expect(screen.getByRole("textbox", { name: "Name" })).toBeDisabled();
  expect(screen.queryByRole("button", { name: "Save" })).toBeNull();
});

const member = (id: string, role: Role, more: Partial<Member> = {}): Member => ({
  id,
  email: `${id}@kloof.example`,
  full_name: null,
  role,
  is_active: true,
  auth_user_id: id,
  ...more,
});
const PEOPLE = [member("owner", "owner"), member("me", "admin"), member("ed", "editor")];

test("an admin changes everybody but owners and themselves, and makes no owner", async () => {
  network(() => ({ body: PEOPLE }));
  open(<Team me={{ id: "me", role: "admin" }} />);

  const role = await screen.findByRole("combobox", { name: "Role of ed@kloof.example" });

  expect(within(role).getAllByRole("option").map((one) => one.textContent)).toEqual(["Admin", "Editor", "Approver", "Viewer"]);
  expect(screen.getAllByRole("combobox", { name: /^Role of/ })).toHaveLength(1);
  expect(screen.getAllByRole("button", { name: /^Deactivate/ })).toHaveLength(1);
});

test("a role that the database refuses goes back", async () => {
  network(({ method }) => (method === "GET" ? { body: PEOPLE } : { body: [] }));
  const { user } = open(<Team me={{ id: "owner", role: "owner" }} />);
  const role = await screen.findByRole("combobox", { name: "Role of ed@kloof.example" });

  await user.selectOptions(role, "Approver");

  expect(await screen.findByText("Nothing was changed")).toBeVisible();
  expect(role).toHaveValue("editor");
  expect(changes().map((call) => [call.query.get("id"), call.body])).toEqual([["eq.ed", { role: "approver" }]]);
});

test("a full plan says so in the database's own words, and the typed address stays", async () => {
  const full = {
    code: "23514",
    message: "the plan allows 3 active users, and all these places are taken",
    hint: "Deactivate somebody, or change to a larger plan.",
  };
  network(({ method }) => (method === "GET" ? { body: PEOPLE } : { status: 400, body: full }));
  const { user } = open(<Team me={{ id: "owner", role: "owner" }} />);
  const email = await screen.findByRole("textbox", { name: "E-mail address" });

  await user.type(email, "new");
  await user.click(screen.getByRole("button", { name: "Add to the team" }));
  expect(email).toHaveAccessibleDescription("Write an e-mail address.");
  expect(changes()).toEqual([]);

  await user.type(email, "@kloof.example");
  await user.click(screen.getByRole("button", { name: "Add to the team" }));

  expect(await screen.findByText(/^The plan allows 3 active users, .* Deactivate somebody/)).toBeVisible();
  expect(email).toHaveValue("new@kloof.example");
});

test("who is added is invited; where the mail fails they stay added and can be invited again", async () => {
  let isMailDown = true;
  const problem = { error: { code: "unavailable", message: "The invitation could not be sent." } };
  network(({ method, path }) => {
    if (path === "/api/invitations") return isMailDown ? { status: 503, body: problem } : { body: { invited: true } };
    return method === "GET" ? { body: [...PEOPLE, member("new", "viewer", { auth_user_id: null })] } : { status: 201, body: { id: "new" } };
  });
  const { user } = open(<Team me={{ id: "owner", role: "owner" }} />);

  await user.type(await screen.findByRole("textbox", { name: "E-mail address" }), "new@kloof.example");
  await user.click(screen.getByRole("button", { name: "Add to the team" }));

  expect(await screen.findByText("new@kloof.example is in the team, but not invited")).toBeVisible();
  expect(screen.getByText("Not invited yet")).toBeVisible();
  expect(changes().map((call) => [call.path, call.body])).toEqual([
    ["/rest/v1/users", { email: "new@kloof.example", full_name: null, role: "viewer" }],
    ["/api/invitations", { user_id: "new" }],
  ]);

  isMailDown = false;
  await user.click(screen.getByRole("button", { name: "Invite new@kloof.example" }));

  expect(await screen.findByText("The invitation to new@kloof.example is on its way")).toBeVisible();
  expect(changes().at(-1)?.body).toEqual({ user_id: "new" });
});

test("viewers see the team and change nobody", async () => {
  network(() => ({ body: PEOPLE }));
  open(<Team me={{ id: "ed", role: "viewer" }} />);

  expect(await screen.findByText("owner@kloof.example")).toBeVisible();
  expect(screen.queryByRole("combobox")).toBeNull();
  expect(rolesToGive("editor")).toEqual([]);
  expect(canChange({ id: "a", role: "owner" }, member("a", "owner"))).toBe(false);
});

const step = (id: string, position: number, completed = false) => ({
  id,
  completed,
  completed_at: completed ? "2026-11-20T08:00:00Z" : null,
  step: { title: `Step ${id}`, description: "", position },
});

test("a tick is shown at once and taken back where it is refused; steps stand in their order", async () => {
  network(({ method }) => (method === "GET" ? { body: [step("b", 2), step("a", 1, true)] } : { body: [] }));
  const { user } = open(<OnboardingChecklist canEdit />);
  const boxes = await screen.findAllByRole("checkbox");
  expect(boxes.map((box) => (box as HTMLInputElement).checked)).toEqual([true, false]);
  expect(screen.getByText("1 of 2 steps are done.")).toBeVisible();

  await user.click(boxes[1]!);

  expect(await screen.findByText("The step stays as it was")).toBeVisible();
  await waitFor(() => expect(screen.getAllByRole("checkbox")[1]).not.toBeChecked());
  expect(changes().map((call) => call.body)).toEqual([{ completed: true }]);
});

test("invoices show their amounts, and a document only where its address is one of the web", () => {
  const invoice: Invoice = {
    id: "1",
    number: "DB-0001",
    kind: "period",
    period_start: "2026-11-01",
    period_end: "2026-12-01",
    net_cents: 100000,
    vat_cents: 15000,
    amount_cents: 115000,
    currency: "ZAR",
    status: "paid",
    issued_at: "2026-11-01T08:00:00Z",
    paid_at: "2026-11-01T09:00:00Z",
    url: "https://draggonnb.example/invoices/1",
  };
  open(<Invoices invoices={[invoice, { ...invoice, id: "2", number: "DB-0002", status: "issued", url: "javascript:alert(1)" }]} />);

  const [first, second] = screen.getAllByRole("row").slice(1);
  expect(first).toHaveTextContent(/DB-0001.*R\s?1\s000[.,]00.*R\s?150[.,]00.*R\s?1\s150[.,]00.*Paid/);
  expect(within(first!).getByRole("link")).toHaveAttribute("href", invoice.url);
  expect(second).toHaveTextContent("Open");
  expect(within(second!).queryByRole("link")).toBeNull();
});

test("a plan names its limits; one that is unlimited says so", () => {
  open(<Plan tier="starter" limits={{ posts_monthly: 30, users: null, other: 3 }} newest={null} />);

  expect(screen.getByRole("heading", { name: "Plan: starter" })).toBeVisible();
  expect(screen.getByText("Posts this month").nextSibling).toHaveTextContent("30");
  expect(screen.getByText("Active users").nextSibling).toHaveTextContent("no limit");
});
