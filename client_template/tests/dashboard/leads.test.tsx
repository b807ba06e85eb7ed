/** What strangers and a model wrote about a lead is shown as text; what people do with a lead is stored or taken back. */
import { screen, waitFor } from "@testing-library/react";
import { expect, test, vi } from "vitest";

import { LeadActions } from "@/components/dashboard/lead-actions";
import { BusinessAnalysisView } from "@/components/dashboard/lead-analysis";
import { LeadTable } from "@/components/dashboard/lead-table";
import { businessAnalysis, likePattern } from "@/lib/leads";
import { newestAnalyses } from "@/lib/leads-read";
import { changes, network, open } from "./posts-stage";

vi.mock("next/navigation", () => ({ useRouter: () => ({ refresh() {} }) }));

const quote = (url: string, supported = true) => ({ quote: "We roast in Kloof since 2009", url, supported, fetched_at: null });
const win = (title: string, url: string) => ({
  title,
  why: "It pays.",
  first_steps: ["Do it"],
  effort: "low",
  impact: "high",
  evidence: [quote(url)],
});
const CONTENT = {
  summary: "<script>alert(1)</script> Roasts coffee.",
  sector: "coffee",
  company_size: "2-10",
  strengths: [{ text: "Own roastery", evidence: [quote("https://kloof.example/about")] }],
  weaknesses: [{ text: "No shop", evidence: [quote("https://kloof.example/", false)] }],
  quick_wins: [
    win("Answer reviews", "https://kloof.example/reviews"),
    win("Post weekly", "javascript:alert(1)"),
    win("Add a form", "https://kloof.example/contact"),
  ],
  lead_score: { score: 80, reasons: ["near"] },
};

test("three quick wins with their evidence; a link only where the address is one of the web", () => {
  const { container } = open(<BusinessAnalysisView analysis={businessAnalysis.parse(CONTENT)} />);

  expect(screen.getAllByRole("heading", { level: 3 }).map((one) => one.textContent)).toEqual([
    "Strengths",
    "Weaknesses",
    "1. Answer reviews",
    "2. Post weekly",
    "3. Add a form",
  ]);
  expect(screen.getAllByRole("link").map((link) => link.getAttribute("href"))).toEqual([
    "https://kloof.example/about",
    "https://kloof.example/reviews",
    "https://kloof.example/contact",
  ]);
  expect(screen.getByText("javascript:alert(1)")).toBeVisible();
  expect(container.querySelector("script")).toBeNull();
  expect(screen.getByText(/No shop/)).toHaveTextContent("not verified");
});

test("the newest version counts; a damaged one is said to be, and is not shown as none", () => {
  const rows = [
    { kind: "business", version: 1, content: CONTENT },
    { kind: "business", version: 2, content: { ...CONTENT, sector: "tea" } },
  ];

  expect(newestAnalyses(rows)).toMatchObject({ business: { sector: "tea" }, competitors: null, isUnreadable: false });
  expect(newestAnalyses([...rows, { kind: "business", version: 3, content: { later: 1 } }])).toMatchObject({
    business: null,
    isUnreadable: true,
  });
  expect(newestAnalyses([]).isUnreadable).toBe(false);
});

test("markup in a name is text, and a lead without a name has one", () => {
  const lead = {
    id: "1",
    company_name: "<img src=x onerror=alert(1)>",
    source: "web_form",
    status: "new" as const,
    rule_score: 40,
    model_score: null,
    received_at: "2026-11-01T08:00:00Z",
    contact: null,
  };
  const { container } = open(<LeadTable leads={[lead, { ...lead, id: "2", company_name: null, rule_score: null }]} />);

  expect(screen.getByText("<img src=x onerror=alert(1)>")).toBeVisible();
  expect(container.querySelector("img")).toBeNull();
  expect(screen.getByText("A lead without a name")).toBeVisible();
  expect(screen.getByText("no score yet")).toBeVisible();
  expect(screen.getAllByText(/web form$/)).toHaveLength(2);
});

test("signs of a search pattern stand for themselves", () => {
  expect(likePattern(" 50%_off\\ ")).toBe("%50\\%\\_off\\\\%");
});

const LEAD = { id: "lead-1", contact_id: "contact-1", status: "analysed" as const, assigned_to: null, title: "Kloof Coffee" };
const actions = () => open(<LeadActions lead={LEAD} people={[{ id: "u1", label: "Editor" }]} />);

test("a status that the database refuses goes back", async () => {
  network(() => ({ body: [] }));
  const { user } = actions();
  const status = screen.getByRole("combobox", { name: "Status" });

  await user.selectOptions(status, "Contacted");

  expect(await screen.findByText("The lead stays as it was")).toBeVisible();
  expect(status).toHaveValue("analysed");
  expect(changes().map((call) => call.body)).toEqual([{ status: "contacted" }]);
});

test("a deal is made of a lead in whole cents; what was typed outlives a failure", async () => {
  let isDown = true;
  network(() => (isDown ? { status: 500, body: { message: "down" } } : { status: 201, body: { id: "d" } }));
  const { user } = actions();
  await user.click(screen.getByRole("button", { name: "Make a deal of it" }));
  const value = screen.getByRole("textbox", { name: "Value in rand" });

  await user.type(value, "lots");
  await user.click(screen.getByRole("button", { name: "Store the deal" }));
  expect(value).toHaveAccessibleDescription(/Write an amount/);
  expect(changes()).toEqual([]);

  await user.clear(value);
  await user.type(value, "12 500,50");
  await user.click(screen.getByRole("button", { name: "Store the deal" }));
  expect(await screen.findByText("The deal is not stored yet")).toBeVisible();
  expect(value).toHaveValue("12 500,50");
  expect(sessionStorage.getItem("draft:deal:lead-1")).toContain("12 500,50");

  isDown = false;
  await user.click(screen.getByRole("button", { name: "Store the deal" }));
  expect(await screen.findByText("The deal is on the board")).toBeVisible();
  expect(changes().at(-1)?.body).toEqual({
    contact_id: "contact-1",
    lead_id: "lead-1",
    title: "Kloof Coffee",
    value_cents: 1250050,
    expected_close_on: null,
  });
  await waitFor(() => expect(sessionStorage.getItem("draft:deal:lead-1")).toBeNull());
});
