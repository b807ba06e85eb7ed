/** The calendar in the organization's zone: what it shows, and moving a post by mouse and by keyboard. */
import type { CalendarOptions, EventDropArg } from "@fullcalendar/core";
import { act, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";

import { CalendarView } from "@/components/dashboard/calendar-view";
import type { Post } from "@/lib/posts/data";
import type { Role } from "@/lib/roles";
import { aPost, changes, calls, network, onPhone, open } from "./posts-stage";

const NOW = Date.parse("2026-11-23T08:00:00Z");
const LATER = aPost({
  id: "22222222-2222-4222-8222-222222222222",
  title: "Opening hours",
  status: "published",
  scheduled_for: "2026-11-25T22:30:00+00:00",
});

/** What FullCalendar was drawn with last; nothing can be dragged where nothing has a size. */
let drawn: CalendarOptions = {};
vi.mock("@fullcalendar/react", async (original) => {
  const { default: Real } = await original<typeof import("@fullcalendar/react")>();
  return {
    default: (options: CalendarOptions) => {
      drawn = options;
      return <Real {...options} />;
    },
  };
});

beforeEach(() => {
  onPhone(false);
  vi.setSystemTime(NOW);
});

/** The posts as the database holds them. `moved` answers a move; without it the move is stored. */
function planned(
  posts: Post[],
  moved?: () => { status?: number; body: unknown } | Promise<{ status?: number; body: unknown }>,
) {
  let rows = posts;
  network(({ method, path, query, body }) => {
    if (path !== "/rest/v1/social_posts") return undefined;
    if (method === "GET") {
      if (query.get("scheduled_for") === "is.null") return { body: rows.filter((post) => post.scheduled_for === null) };
      const [from, until] = query.getAll("scheduled_for").map((limit) => Date.parse(limit.replace(/^\w+\./, "")));
      const isShown = (post: Post) =>
        post.scheduled_for !== null &&
        Date.parse(post.scheduled_for) >= (from ?? 0) &&
        Date.parse(post.scheduled_for) < (until ?? 0);
      return { body: rows.filter(isShown) };
    }
    if (moved) return moved();
    const id = query.get("id")?.replace("eq.", "");
    rows = rows.map((post) => (post.id === id ? { ...post, ...(body as Partial<Post>) } : post));
    return { body: rows.filter((post) => post.id === id) };
  });
}

const calendar = (role: Role = "editor") => open(<CalendarView role={role} now={NOW} />);
/** The button of the post with this title. By its words: asking for names of all that a month holds takes seconds. */
const buttonOf = async (title: string) =>
  (await screen.findByText(title, { selector: "button span" })).closest("button")!;

/** Drops the post there, as the mouse would; true if FullCalendar was told to put it back. */
function dropAt(id: string, at: string): boolean {
  const revert = vi.fn();
  act(() => drawn.eventDrop?.({ event: { id, start: new Date(at) }, revert } as unknown as EventDropArg));
  return revert.mock.calls.length > 0;
}

test("a month shows whole weeks of the zone, each post with its time and its state in words", async () => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" }), LATER]);
  calendar();

  expect(screen.getByRole("heading", { name: "November 2026" })).toBeVisible();
  expect(await screen.findByRole("button", { name: /09:00.*In review.*Mince pies.*Facebook, X/ })).toBeVisible();
  // Half past midnight in Johannesburg, a day later than in UTC.
  const late = await buttonOf("Opening hours");
  expect(late).toHaveTextContent(/00:30.*Published/);
  expect(late.closest("[data-date]")).toHaveAttribute("data-date", "2026-11-26");
  const range = calls.find((call) => call.query.getAll("scheduled_for").length === 2);
  expect(range?.query.getAll("scheduled_for")).toEqual(["gte.2026-10-25T22:00:00Z", "lt.2026-12-06T22:00:00Z"]);
});

test("by keyboard: open a post, type its new time in the zone, and it is there at once", async () => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" })]);
  const { user } = calendar();

  (await buttonOf("Mince pies")).focus();
  await user.keyboard("{Enter}");
  const dialog = await screen.findByRole("dialog", { name: "Mince pies" });
  const field = within(dialog).getByLabelText("Goes out");
  expect(field).toHaveValue("2026-11-24T09:00");
  await user.clear(field);
  await user.type(field, "2026-11-26T15:30");
  await user.keyboard("{Enter}");

  await waitFor(async () => expect(await buttonOf("Mince pies")).toHaveTextContent(/^15:30/));
  expect(screen.queryByRole("dialog")).toBeNull();
  expect(changes()).toHaveLength(1);
  expect(changes()[0]?.query.get("scheduled_for")).toBe("eq.2026-11-24T07:00:00+00:00");
  expect(changes()[0]?.body).toEqual({
    scheduled_for: "2026-11-26T13:30:00Z",
    scheduled_local: "2026-11-26 15:30 Africa/Johannesburg",
  });
});

test("a time that is over is refused in the dialog, and nothing is asked of the database", async () => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" })]);
  const { user } = calendar();
  await user.click(await buttonOf("Mince pies"));

  const field = await screen.findByLabelText("Goes out");
  await user.clear(field);
  await user.type(field, "2026-11-20T09:00");
  await user.click(screen.getByRole("button", { name: "Move" }));

  expect(field).toHaveAccessibleDescription(/This time is 3 days 1 hour in the past\./);
  expect(changes()).toEqual([]);
});

test("a post that is dropped elsewhere moves at once and stays", async () => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" })]);
  calendar();
  await buttonOf("Mince pies");

  expect(dropAt(aPost().id, "2026-11-27T07:00:00Z")).toBe(false);

  expect(await screen.findByText(/^Moved to /)).toBeVisible();
  expect((await buttonOf("Mince pies")).closest("[data-date]")).toHaveAttribute("data-date", "2026-11-27");
  expect(changes().map((call) => call.body)).toEqual([
    { scheduled_for: "2026-11-27T07:00:00Z", scheduled_local: "2026-11-27 09:00 Africa/Johannesburg" },
  ]);
});

test.each([
  ["somebody moved it meanwhile", { body: [] }, /changed by somebody else/],
  ["the server is away", { status: 0, body: null }, /server does not answer/],
])("a move goes back where %s", async (_, moved, why) => {
  let settle: (answer: { status?: number; body: unknown }) => void = () => undefined;
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" })], () => new Promise((resolve) => (settle = resolve)));
  calendar();
  await buttonOf("Mince pies");
  const day = () =>
    screen.getByText("Mince pies", { selector: "button span" }).closest("[data-date]")?.getAttribute("data-date");

  dropAt(aPost().id, "2026-11-27T07:00:00Z");
  await waitFor(() => expect(day()).toBe("2026-11-27"));
  await waitFor(() => expect(changes()).toHaveLength(1));
  settle(moved);

  expect(await screen.findByText("The post was not moved")).toBeVisible();
  expect(screen.getByText(why)).toBeVisible();
  await waitFor(() => expect(day()).toBe("2026-11-24"));
});

test("a drop into the past is put back without a call", async () => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" })]);
  calendar();
  await buttonOf("Mince pies");

  expect(dropAt(aPost().id, "2026-11-20T07:00:00Z")).toBe(true);

  expect(await screen.findByText(/is 3 days 1 hour in the past/)).toBeVisible();
  expect(changes()).toEqual([]);
});

test.each<[string, Partial<Post>, Role, RegExp]>([
  ["published", { status: "published" }, "owner", /A post that is published keeps its time/],
  [
    "begun",
    {
      status: "scheduled",
      queue: [
        {
          platform_id: "x",
          status: "calling",
          revision: 1,
          attempts: 1,
          part: 0,
          platform_url: null,
          published_at: null,
        },
      ],
    },
    "owner",
    /Publishing has begun/,
  ],
  [
    "asked for on approval",
    { request: { schedule: { as_soon_as_approved: true }, brief: "", requested_by: null } },
    "owner",
    /as soon as it is approved/,
  ],
  ["a viewer's", {}, "viewer", /Your role may look/],
])("a post cannot be moved that is %s, and says why", async (_, part, role, why) => {
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00", ...part })]);
  const { user } = calendar(role);
  await user.click(await buttonOf("Mince pies"));

  const dialog = await screen.findByRole("dialog");
  expect(within(dialog).getByText(why)).toBeVisible();
  expect(within(dialog).queryByRole("button", { name: "Move" })).toBeNull();
  expect((drawn.events as { startEditable: boolean }[])[0]?.startEditable).toBe(false);
});

test("weeks and months go by, and today comes back", async () => {
  planned([]);
  const { user } = calendar();

  await user.click(screen.getByRole("button", { name: "Next month" }));
  expect(screen.getByRole("heading", { name: "December 2026" })).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Today" }));
  await user.click(screen.getByRole("button", { name: "Week" }));
  expect(screen.getByRole("heading", { name: "23 Nov – 29 Nov 2026" })).toBeVisible();
  expect(await screen.findByText("Nothing is planned for 23 Nov – 29 Nov 2026")).toBeVisible();
});

test("phones get a list by day", async () => {
  onPhone(true);
  planned([aPost({ scheduled_for: "2026-11-24T07:00:00+00:00" }), LATER]);
  calendar();

  const days = await screen.findAllByRole("heading", { level: 3 });
  expect(days.map((day) => day.textContent)).toEqual(["Tue, 24 Nov 2026", "Thu, 26 Nov 2026"]);
  expect(screen.queryByRole("group", { name: "Calendar as" })).toBeNull();
  expect(screen.queryByRole("grid")).toBeNull();
});

test("posts without a time can be given one", async () => {
  planned([aPost({ scheduled_for: null, scheduled_local: null, status: "draft" })]);
  const { user } = calendar();
  const rest = await screen.findByRole("region", { name: "Posts without a time" });

  await user.click(within(rest).getByRole("button"));
  await user.type(await screen.findByLabelText("Goes out"), "2026-11-24T09:00");
  await user.click(screen.getByRole("button", { name: "Move" }));

  await waitFor(async () => expect(await buttonOf("Mince pies")).toHaveTextContent(/^09:00Draft/));
  expect(changes()[0]?.query.get("scheduled_for")).toBe("is.null");
  await waitFor(() => expect(screen.queryByRole("region", { name: "Posts without a time" })).toBeNull());
});

test("a calendar that cannot be read is no empty calendar", async () => {
  network(() => ({ status: 500, body: { message: "away" } }));
  calendar();

  expect(await screen.findByText("The calendar could not be read")).toBeVisible();
  expect(screen.queryByText(/Nothing is planned/)).toBeNull();
});
