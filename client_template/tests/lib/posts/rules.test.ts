/** What each platform takes, against the vectors that the server is held against. */
import { expect, test } from "vitest";
import { RULES } from "@/lib/posts/limits";
import type { Platform } from "@/lib/posts/platforms";
import { checkPost, checkText, formatOf, textLength, type Media, type Variant } from "@/lib/posts/rules";
import vectors from "../../vectors/post_rules.json";

type Case = { platform: Platform; variant: Variant; media: Media[]; faults: unknown[] };

test("every draft has the faults that its vector names", () => {
  for (const { platform, variant, media, faults } of vectors.cases as Case[]) {
    expect(checkPost(platform, variant, media), `${platform} ${variant.text.slice(0, 40)}`).toEqual(faults);
  }
});

test("every row of the table is met by a vector", () => {
  const met = new Set(
    (vectors.cases as Case[]).map(({ platform, media }) => `${platform} ${formatOf(platform, media)}`),
  );

  expect(RULES.map((rule) => `${rule.platform} ${rule.format}`).filter((row) => !met.has(row))).toEqual([]);
});

test("files that nobody has looked at yet are left to the server", () => {
  const unknown = { path: "2026/pie.jpg", alt: null, content_type: null, size_bytes: null, width: null, height: null };

  expect(
    checkPost("instagram", { text: "a", thread: [], first_comment: null }, [{ ...unknown, duration_seconds: null }]),
  ).toEqual([]);
});

test("half of a surrogate pair is refused, a whole one is not", () => {
  const rule = RULES.find((row) => row.platform === "facebook")!.text;

  expect(checkText("text", "👍", rule)).toEqual([]);
  expect(checkText("text", "\ud83d", rule).map((fault) => fault.message)).toEqual(["text: holds a control character"]);
  expect(textLength("👍", "characters")).toBe(2);
});
