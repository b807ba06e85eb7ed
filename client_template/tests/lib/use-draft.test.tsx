/** What is typed outlives a reload, a failed call and a browser that keeps nothing; and nothing foreign is taken for it. */
import { act, cleanup, renderHook } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

import { useDraft } from "@/lib/use-draft";

const readText = (kept: unknown) => (typeof kept === "string" ? kept : null);
const draft = (key: string) => renderHook(() => useDraft(key, readText));

beforeEach(() => sessionStorage.clear());
afterEach(() => {
  cleanup();
  vi.restoreAllMocks();
});

test("a draft is there again after the page was left, for its own key alone", () => {
  const first = draft("a");
  act(() => first.result.current[1]("typed"));
  first.unmount();

  expect(draft("a").result.current[0]).toBe("typed");
  expect(draft("b").result.current[0]).toBeNull();
});

test("two places that show one draft show the same, and null throws it away", () => {
  const [one, other] = [draft("a"), draft("a")];

  act(() => one.result.current[1]("typed"));
  expect(other.result.current[0]).toBe("typed");
  act(() => other.result.current[1](null));

  expect(one.result.current[0]).toBeNull();
  expect(sessionStorage.length).toBe(0);
});

test.each(["{", '{"another":"shape"}'])("what is no draft is none: %s", (kept) => {
  sessionStorage.setItem("draft:a", kept);

  expect(draft("a").result.current[0]).toBeNull();
});

test("where the browser keeps nothing, the draft lives until the page is left", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("full", "QuotaExceededError");
  });
  const { result } = draft("a");

  act(() => result.current[1]("typed"));

  expect(result.current[0]).toBe("typed");
});
