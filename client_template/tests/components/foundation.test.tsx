/** The parts that every page is made of: named for screen readers, and kind to what was typed. */
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it, vi } from "vitest";

import { placesFor } from "@/components/dashboard/nav-items";
import { targetOf } from "@/components/dashboard/notification-bell";
import { marked } from "@/components/dashboard/notifications-data";
import { Button } from "@/components/ui/button";
import { ErrorState } from "@/components/ui/error-state";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";

const NOTE = { id: "1", type: "lead", message: "A lead", metadata: {}, read_at: null, created_at: "2026-11-23T09:00:00Z" };

it("ties a label, a hint and an error to their control", () => {
  render(
    <Field label="Brief" hint="Up to 4000 characters" error="It is empty.">
      <Input />
    </Field>,
  );

  const control = screen.getByLabelText("Brief");
  expect(control).toBeInvalid();
  expect(control).toHaveAccessibleDescription("Up to 4000 characters It is empty.");
});

it("does not press a button twice while it is at work", async () => {
  const press = vi.fn();
  render(
    <Button loading onClick={press}>
      Save
    </Button>,
  );

  await userEvent.click(screen.getByRole("button", { name: "Save" }));

  expect(press).not.toHaveBeenCalled();
});

it("says what failed at once, and offers to try again", async () => {
  const retry = vi.fn();
  render(<ErrorState title="No numbers" detail="The database did not answer." retry={retry} />);

  await userEvent.click(screen.getByRole("button", { name: "Try again" }));

  expect(screen.getByRole("alert")).toHaveTextContent("The database did not answer.");
  expect(retry).toHaveBeenCalledOnce();
});

it("offers no generator to those who only decide", () => {
  const names = (role: Parameters<typeof placesFor>[0]) => placesFor(role).map(({ href }) => href);

  expect(names("editor")).toContain("/generate");
  expect(names("approver")).not.toContain("/generate");
  expect(names("viewer")).toContain("/analytics");
});

it.each([
  [{ link: "/approvals" }, "/approvals"],
  [{ lead_id: "abc" }, "/leads/abc"],
  [{ link: "https://evil.example" }, "/notifications"],
  [{ link: "javascript:alert(1)" }, "/notifications"],
  [{ lead_id: "/evil.example" }, "/leads/%2Fevil.example"],
  [null, "/notifications"],
])("leads from a notification with %j to %s", (metadata, path) => {
  expect(targetOf({ metadata })).toBe(path);
});

it("marks what is meant and counts the rest", () => {
  const known = { items: [NOTE, { ...NOTE, id: "2" }], unread: 5 };

  const one = marked(known, ["1"]);
  const all = marked(known, "all");

  expect([one.unread, one.items.map((item) => item.read_at !== null)]).toEqual([4, [true, false]]);
  expect([all.unread, all.items.every((item) => item.read_at !== null)]).toEqual([0, true]);
  expect(known.items[0]?.read_at).toBeNull();
});
