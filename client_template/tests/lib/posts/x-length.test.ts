/** X's weighted length, against the official vectors and those that the server is held against. */
import { expect, test } from "vitest";
import { findUrls, isValidForX, validRangeEnd, weightedLength } from "@/lib/posts/x-length";
import vectors from "../../vectors/x_length.json";

test.each(vectors.conformance_v3)("the official vector: $description", ({ text, expected }) => {
  expect(weightedLength(text)).toBe(expected.weightedLength);
  expect(isValidForX(text)).toBe(expected.valid);
  expect(validRangeEnd(text)).toBe(expected.validRangeEnd);
});

test.each(vectors.extra)("as the server counts: $description", ({ text, weightedLength: length, valid }) => {
  expect(weightedLength(text)).toBe(length);
  expect(isValidForX(text)).toBe(valid);
});

test("addresses are found where X finds them", () => {
  expect(findUrls("Menu: kloof.co.za/menu?day=1, today. So it.So is; info@kloof.co.za is not")).toEqual([
    "kloof.co.za/menu?day=1",
    "it.So",
  ]);
});

test("hostile texts are measured at once", () => {
  const start = performance.now();
  for (const text of ["a.".repeat(5_000), "x.com/" + "(a".repeat(5_000), "a_b.".repeat(2_500) + "com"])
    weightedLength(text);
  expect(performance.now() - start).toBeLessThan(2_000);
});
