/** News, alerts, what a person wants to hear and when: shown at once, taken back where the database refuses. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { AlertList, type Alert } from "@/components/dashboard/alert-list";
import { NotificationList } from "@/components/dashboard/notification-list";
import { NotificationPreferences } from "@/components/dashboard/notification-preferences";
import { QuietHoursForm } from "@/components/dashboard/quiet-hours-form";
import { changes, network, open } from "./posts-stage";

const REFUSED = { status: 403, body: { code: "42501", message: "denied" } };
const news = (id: string, more: object = {}) => ({
  id,
  message: `News ${id}`,
  metadata: {},
  read_at: null,
  created_at: "2026-11-20T08:00:00+00:00",
  ...more,
});

test("unread news are marked as read at once, and the database is told of these alone", async () => {
  let rows = [news("a"), news("b", { read_at: "2026-11-20T09:00:00+00:00" })];
  network(({ method, body }) => {
    if (method === "GET") return { body: rows };
    rows = rows.map((row) => (row.id === "a" ? { ...row, ...(body as object) } : row));
    return { status: 204, body: null };
  });
  const { user } = open(<NotificationList />);
  expect(await screen.findByText("1 unread")).toBeVisible();

  await user.click(screen.getByRole("button", { name: "Mark all as read" }));

  expect(await screen.findByText("All read")).toBeVisible();
  expect(changes()).toHaveLength(1);
  expect(changes()[0]?.query.get("id")).toBe("in.(a)");
  expect(changes()[0]?.body).toEqual({ read_at: expect.stringMatching(/^20/) });
});

test("a refused mark is taken back", async () => {
  network(({ method }) => (method === "GET" ? { body: [news("a")] } : REFUSED));
  const { user } = open(<NotificationList />);

  await user.click(await screen.findByRole("button", { name: /^Mark as read/ }));

  expect(await screen.findByText("It stays as it was")).toBeVisible();
  expect(screen.getByText("1 unread")).toBeVisible();
});

test("a link of a message leads to a page of this app or of the web, and nowhere else", async () => {
  const rows = [
    news("web", { metadata: { link: "https://app.example/reports/1" } }),
    news("app", { metadata: { link: "/approvals" } }),
    news("script", { metadata: { link: "javascript:alert(1)" } }),
    news("other", { metadata: { link: "//evil.example" } }),
    news("lead", { metadata: { lead_id: "7" } }),
  ];
  network(() => ({ body: rows }));
  open(<NotificationList />);

  const links = await screen.findAllByRole("link");

  expect(links.map((link) => link.getAttribute("href"))).toEqual(["https://app.example/reports/1", "/approvals", "/leads/7"]);
});

const ALERT: Alert = {
  id: "1",
  subject: "The X account must be connected again",
  lines: ["<script>alert(1)</script>"],
  link: "javascript:alert(1)",
  escalate_at: "2026-11-23T12:00:00+00:00",
  acknowledged_by: null,
  acknowledged_at: null,
  created_at: "2026-11-23T08:00:00+00:00",
};

test("an alert is acknowledged under one's own name by the function of the database", async () => {
  let row = ALERT;
  network(({ path }) => {
    if (path !== "/rest/v1/rpc/acknowledge_alert") return { body: [row] };
    row = { ...row, acknowledged_by: "me@kloof.example", acknowledged_at: "2026-11-23T09:00:00+00:00" };
    return { body: true };
  });
  const { user, container } = open(<AlertList email="me@kloof.example" />);

  await user.click(await screen.findByRole("button", { name: /^I see to it/ }));

  expect(await screen.findByText("Being seen to")).toBeVisible();
  expect(changes()).toEqual([expect.objectContaining({ path: "/rest/v1/rpc/acknowledge_alert", body: { alert_id: "1" } })]);
  expect(screen.queryByRole("button", { name: /^I see to it/ })).toBeNull();
  expect(screen.getByText("<script>alert(1)</script>")).toBeVisible();
  expect(container.querySelector("script, a")).toBeNull();
});

test("who comes second is told so", async () => {
  const taken = { ...ALERT, acknowledged_by: "she@kloof.example", acknowledged_at: "2026-11-23T09:00:00+00:00" };
  let isTaken = false;
  network(({ path }) => (path.includes("/rpc/") ? ((isTaken = true), { body: false }) : { body: [isTaken ? taken : ALERT] }));
  const { user } = open(<AlertList email="me@kloof.example" />);

  await user.click(await screen.findByRole("button", { name: /^I see to it/ }));

  expect(await screen.findByText("Somebody was quicker")).toBeVisible();
  expect(await screen.findByText(/she@kloof\.example/)).toBeVisible();
});

test("a refused acknowledgement leaves the alert open", async () => {
  network(({ path }) => (path.includes("/rpc/") ? REFUSED : { body: [ALERT] }));
  const { user } = open(<AlertList email="me@kloof.example" />);

  await user.click(await screen.findByRole("button", { name: /^I see to it/ }));

  expect(await screen.findByText("The alert is still open")).toBeVisible();
  expect(screen.getByRole("button", { name: /^I see to it/ })).toBeVisible();
});

test("a choice is stored in its own columns: a row that is there is changed, else one is made", async () => {
  network(({ method }) => (method === "GET" || method === "PATCH" ? { body: [] } : { status: 201, body: null }));
  const { user } = open(<NotificationPreferences userId="me" />);
  const choice = await screen.findByRole("combobox", { name: "The weekly report, Mail" });

  await user.selectOptions(choice, "Once a day");

  await waitFor(() => expect(changes()).toHaveLength(2));
  expect(changes().map((call) => [call.method, call.body])).toEqual([
    ["PATCH", { mode: "digest" }],
    ["POST", { user_id: "me", event: "weekly_report", channel: "email", mode: "digest" }],
  ]);
});

test("mails that everybody must have cannot be switched off, and a refused choice is taken back", async () => {
  network(({ method }) => (method === "GET" ? { body: [] } : REFUSED));
  const { user } = open(<NotificationPreferences userId="me" />);
  const invoice = (await screen.findByText("An invoice")).closest("li")!;
  expect(within(invoice).getByText("Always")).toBeVisible();
  expect(within(invoice).queryByRole("combobox", { name: /Mail/ })).toBeNull();

  const choice = screen.getByRole("combobox", { name: "An invoice, In the app" });
  await user.selectOptions(choice, "Off");

  expect(await screen.findByText("The choice is not stored")).toBeVisible();
  expect(choice).toHaveValue("now");
});

test("quiet hours are stored as a pair; half of one is not sent", async () => {
  network(() => ({ body: [{ id: "me" }] }));
  const { user } = open(<QuietHoursForm userId="me" stored={{ quiet_from: "22:00:00", quiet_until: null }} />);

  await user.click(screen.getByRole("button", { name: "Save" }));
  expect(await screen.findByText("Say both when the quiet hours begin and when they end.")).toBeVisible();
  expect(changes()).toEqual([]);

  await user.type(screen.getByLabelText("Until"), "06:30");
  await user.click(screen.getByRole("button", { name: "Save" }));

  await waitFor(() => expect(changes()).toHaveLength(1));
  expect(changes()[0]?.body).toEqual({ quiet_from: "22:00", quiet_until: "06:30" });
  expect(changes()[0]?.query.get("id")).toBe("eq.me");
});

test("a list that cannot be read does not look empty", async () => {
  network(() => ({ status: 500, body: { message: "down" } }));
  open(<NotificationList />);

  expect(await screen.findByText("The notifications could not be loaded")).toBeVisible();
  expect(screen.queryByText("Nothing yet")).toBeNull();
});
