/** Deals move by list and by keyboard, at once on the screen, and go back where the database refuses. */
import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";

import { PipelineBoard } from "@/components/dashboard/pipeline-board";
import { STAGES, type Deal } from "@/lib/deals";
import { changes, network, open } from "./posts-stage";

function deal(id: string, more: Partial<Deal> = {}): Deal {
  return {
    id,
    title: `Deal ${id}`,
    value_cents: 1250000,
    currency: "ZAR",
    stage: "qualified",
    probability: 10,
    expected_close_on: null,
    closed_at: null,
    lost_reason: null,
    lead_id: null,
    contact: { name: "Thandi", company: "Kloof Coffee" },
    ...more,
  };
}

let stored: Deal[];
let refusal: { status: number; body: unknown } | null;
let gate: Promise<void>;

beforeEach(() => {
  stored = [deal("a"), deal("b", { stage: "proposal", title: "<b>Big</b>" })];
  refusal = null;
  gate = Promise.resolve();
  network(async ({ method, path, query, body }) => {
    if (path !== "/rest/v1/deals") return { status: 404, body: {} };
    if (method === "GET") return { body: stored };
    await gate;
    if (refusal) return refusal;
    const columns = body as Partial<Deal>;
    const id = query.get("id")?.replace("eq.", "");
    stored = stored.map((one) => (one.id === id ? { ...one, ...columns } : one));
    return { body: [{ id }] };
  });
});

const column = (name: string) => screen.getByRole("region", { name: new RegExp(`^${name}`) });
const board = async (canEdit = true) => {
  const page = open(<PipelineBoard canEdit={canEdit} />);
  await screen.findByText("Deal a");
  return page;
};

test("each stage has its deals and their sum; markup in a title is text", async () => {
  const { container } = await board();

  expect(within(column("Qualified")).getByText("Deal a")).toBeVisible();
  expect(column("Qualified")).toHaveTextContent(/1 deal\s*R\s?12[\s,]500/);
  expect(column("Negotiation")).toHaveTextContent("0 deals");
  expect(within(column("Proposal")).getByText("<b>Big</b>")).toBeVisible();
  expect(container.querySelector("article b")).toBeNull();
});

test("a deal moves at once, and only from where this person saw it", async () => {
  const { user } = await board();
  let open!: () => void;
  gate = new Promise((resolve) => (open = resolve));

  await user.selectOptions(screen.getByRole("combobox", { name: "Stage of Deal a" }), "Won");

  expect(await within(column("Won")).findByText("Deal a")).toBeVisible();
  open();
  await waitFor(() => expect(changes()).toHaveLength(1));
  const [change] = changes();
  expect(change).toMatchObject({ method: "PATCH", path: "/rest/v1/deals" });
  expect([change?.query.get("id"), change?.query.get("stage")]).toEqual(["eq.a", "eq.qualified"]);
  expect(change?.body).toEqual({ stage: "won", closed_at: expect.stringMatching(/^20/), lost_reason: null });
});

test.each([
  ["the role may not", { status: 403, body: { code: "42501", message: "denied" } }, /Your role does not allow this/],
  ["somebody else was first", { status: 200, body: [] }, /Somebody else has moved/],
  ["the server is down", { status: 500, body: { message: "down" } }, /does not answer/],
])("it goes back where it was when %s", async (_, answer, words) => {
  const { user } = await board();
  refusal = answer;

  await user.selectOptions(screen.getByRole("combobox", { name: "Stage of Deal a" }), "Lost");

  expect(await screen.findByText(words)).toBeVisible();
  expect(within(column("Qualified")).getByText("Deal a")).toBeVisible();
  expect(within(column("Lost")).queryByText("Deal a")).toBeNull();
});

test("by keyboard: pick up, go to the stage beside, drop", async () => {
  // jsdom lays nothing out: the stages stand beside each other, 300 px each.
  vi.spyOn(Element.prototype, "getBoundingClientRect").mockImplementation(function (this: Element) {
    const stage = this.closest("[data-stage]")?.getAttribute("data-stage");
    const place = Math.max(0, STAGES.findIndex((one) => one === stage));
    const isColumn = this.hasAttribute("data-stage");
    return new DOMRect(place * 300, 0, isColumn ? 280 : 40, isColumn ? 500 : 40);
  });
  await board();
  const handle = screen.getByRole("button", { name: "Move Deal a" });
  handle.focus();

  fireEvent.keyDown(handle, { code: "Space" });
  await screen.findByText(/Picked up Deal a|Deal a is over Qualified/);
  fireEvent.keyDown(document, { code: "ArrowRight" });
  await screen.findByText("Deal a is over Proposal.");
  fireEvent.keyDown(document, { code: "Space" });

  await waitFor(() => expect(changes()).toHaveLength(1));
  expect(changes()[0]?.body).toEqual({ stage: "proposal", closed_at: null, lost_reason: null });
  expect(within(column("Proposal")).getByText("Deal a")).toBeVisible();
  vi.restoreAllMocks();
});

test("who may only read gets neither handle nor list", async () => {
  await board(false);

  expect(screen.queryByRole("button", { name: /^Move/ })).toBeNull();
  expect(screen.queryByRole("combobox")).toBeNull();
});

test("no deals is said, and so is a failed read", async () => {
  stored = [];
  const { unmount } = open(<PipelineBoard canEdit />);
  expect(await screen.findByText("No deals yet")).toBeVisible();
  unmount();

  network(() => ({ status: 500, body: { message: "down" } }));
  open(<PipelineBoard canEdit />);
  expect(await screen.findByText("The deals could not be loaded")).toBeVisible();
});
