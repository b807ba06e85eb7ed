/** How faults are told to people, and where a preview colours a text. */
import { expect, test } from "vitest";

import { inPlainWords } from "@/lib/posts/fault-words";
import { pieces } from "@/lib/posts/pieces";
import { checkPost, type Variant } from "@/lib/posts/rules";

const words = (text: string, part: Partial<Variant> = {}): Variant => ({
  text,
  thread: [],
  first_comment: null,
  ...part,
});

test.each([
  ["x", words("a".repeat(281)), ["1 over the limit of 280."]],
  ["x", words(" "), ["It has no words yet."]],
  ["x", words("$AAPL $MSFT"), ["2 cashtags; at most 1 are taken."]],
  ["x", words("a", { thread: ["b", ""] }), ["It has no words yet."]],
  ["facebook", words("a", { thread: ["b"] }), ["1 posts after the first; at most 0 are taken."]],
  ["facebook", words("a\u0000"), ["It holds a character that cannot be published."]],
  ["instagram", words("a"), ["This network takes no post without a picture or video."]],
] as const)("on %s", (platform, variant, told) => {
  expect(checkPost(platform, { ...variant, thread: [...variant.thread] }, []).map(inPlainWords)).toEqual(told);
});

test("a file's fault names the file and what is wrong with it", () => {
  const file = {
    path: "a",
    alt: null,
    content_type: "image/png",
    size_bytes: 10,
    width: 800,
    height: 1000,
    duration_seconds: null,
  };

  expect(checkPost("instagram", words("a"), [file]).map(inPlainWords)).toEqual([
    "File 1, content type: image/png is not among image/jpeg.",
  ]);
});

test("addresses and marks are coloured, and all pieces together are the text", () => {
  const text = "Pies at kloof.co.za/pies! #MincePies by @kloof.coffee. Not #1, not a@b.co, <b>#bold</b>";

  expect(
    pieces(text)
      .filter((piece) => piece.marked)
      .map((piece) => piece.text),
  ).toEqual(["kloof.co.za/pies", "#MincePies", "@kloof.coffee", "#bold"]);
  expect(
    pieces(text)
      .map((piece) => piece.text)
      .join(""),
  ).toBe(text);
});
