/** Figures as people see them: missing stays missing in tiles, table and export; a failed read never looks empty. */
import { screen, waitFor, within } from "@testing-library/react";
import { beforeEach, expect, test, vi } from "vitest";

import { AnalyticsDashboard } from "@/components/dashboard/analytics-dashboard";
import type { Snapshot } from "@/lib/analytics/snapshots";
import { day, known, partOf } from "../lib/analytics/snapshot-rows";
import { calls, changes, network, open } from "./posts-stage";

const NOW = new Date("2026-11-23T10:00:00Z");

function snapshots(rows: () => Snapshot[] | { status: number; body: unknown }) {
  network(({ path, query }) => {
    if (path !== "/rest/v1/analytics_snapshots") return undefined;
    if (query.get("select")?.includes("top_posts")) return { body: [] };
    const answer = rows();
    return Array.isArray(answer) ? { body: answer } : answer;
  });
}

const facebook = (reach: number) => ({ facebook: partOf({ reach: known(reach) }) });
const WEEK = [
  day("2026-11-20", partOf({ reach: known(100) }), { platforms: facebook(60) }),
  day("2026-11-21", partOf({ reach: { value: null, posts: 0, missing: 2, carried: 0 } }), {
    missing: [{ platform: "x", metric: "reach", posts: 2, reason: "<img src=x onerror=alert(1)> refused" }],
  }),
  day("2026-11-22", partOf({ reach: known(50) }), { version: 2, restated: true, platforms: facebook(30) }),
];

const page = (props: Partial<Parameters<typeof AnalyticsDashboard>[0]> = {}) =>
  open(<AnalyticsDashboard initialRange="7d" now={NOW} {...props} />);

beforeEach(() => snapshots(() => WEEK));

async function tile(name: string) {
  const term = (await screen.findAllByText(name)).find((element) => element.tagName === "DT");
  return term?.parentElement as HTMLElement;
}

test("a sum says which days it lacks, and is compared with nothing", async () => {
  page();

  const reach = await tile("Reach");

  expect(within(reach).getByText("150")).toBeVisible();
  expect(within(reach).getByText("without 5 of 7 days that are not known")).toBeVisible();
  expect(reach).not.toHaveTextContent(/days before/);
});

test("the table has a row for each day; missing, restated and known are told apart and none is 0", async () => {
  const { user } = page();
  const tables = await screen.findAllByText("As a table");

  await user.click(tables[0]!);

  const table = screen.getByRole("table", { name: "Reach by day" });
  const rows = within(table).getAllByRole("row").slice(1).map((row) => row.textContent);
  expect(rows).toHaveLength(7);
  expect(rows.slice(4)).toEqual([
    expect.stringMatching(/100$/),
    expect.stringMatching(/not known.*refused$/),
    expect.stringMatching(/50corrected$/),
  ]);
  expect(rows[0]).toMatch(/not knownno figures were taken$/);
});

test("a chart has a name that says what it shows and what is missing", async () => {
  page();

  expect(await screen.findByRole("img", { name: /^Reach by day\. Most: 100 .* Not known: 5 of 7 days\.$/ })).toBeInTheDocument();
});

test("a network's figures are shown alone, and the choice stands in the address", async () => {
  const { user } = page();
  await tile("Reach");

  await user.selectOptions(screen.getByRole("combobox", { name: "Network" }), "Facebook");

  expect(within(await tile("Reach")).getByText("90")).toBeVisible();
  expect(window.location.search).toBe("?range=7d&platform=facebook");
});

test("another period is another question, over twice its length", async () => {
  const { user } = page();
  await tile("Reach");
  snapshots(() => []);

  await user.selectOptions(screen.getByRole("combobox", { name: "Period" }), "Last 12 weeks");

  expect(await screen.findByText("No figures of this period yet")).toBeVisible();
  const asked = calls.filter((call) => call.query.get("select")?.includes("gained")).at(-1)?.query;
  expect([asked?.get("period"), asked?.get("period_start")]).toEqual(["eq.week", "gte.2026-06-08"]);
});

test("markup in a platform's reason is text", async () => {
  const { container } = page();

  expect((await screen.findAllByText(/<img src=x onerror=alert\(1\)> refused/)).length).toBeGreaterThan(0);
  expect(container.querySelector("img")).toBeNull();
});

test("a failed read says so and can be repeated; it does not look like no figures", async () => {
  let isDown = true;
  snapshots(() => (isDown ? { status: 500, body: { message: "down" } } : WEEK));
  const { user } = page();

  expect(await screen.findByText("The figures could not be loaded")).toBeVisible();
  expect(screen.queryByText("No figures of this period yet")).toBeNull();
  expect(screen.getByRole("button", { name: "Export CSV" })).toBeDisabled();

  isDown = false;
  await user.click(screen.getByRole("button", { name: "Try again" }));

  expect(within(await tile("Reach")).getByText("150")).toBeVisible();
  expect(changes()).toEqual([]);
});

test("the export holds empty cells for what is missing", async () => {
  const blobs: Blob[] = [];
  vi.stubGlobal("URL", Object.assign(URL, { createObjectURL: (blob: Blob) => (blobs.push(blob), "blob:x"), revokeObjectURL() {} }));
  const click = vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(() => undefined);
  const { user } = page();
  await tile("Reach");

  await user.click(screen.getByRole("button", { name: "Export CSV" }));

  await waitFor(() => expect(blobs).toHaveLength(1));
  const lines = (await textOf(blobs[0]!)).split("\r\n");
  expect(lines[0]).toContain("from,to (not included),platform,published,views,reach");
  expect(lines.find((line) => line.startsWith("2026-11-21,2026-11-22,all,"))).toMatch(/^2026-11-21,2026-11-22,all,1,,,/);
  expect(lines.find((line) => line.startsWith("2026-11-22,2026-11-23,all,"))).toMatch(/^2026-11-22,2026-11-23,all,1,,50,.*yes/);
  click.mockRestore();
});

/** jsdom's blobs can be read in this way only. */
function textOf(blob: Blob): Promise<string> {
  return new Promise((resolve) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.readAsText(blob);
  });
}
