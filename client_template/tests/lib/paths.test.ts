/** Addresses that come from outside lead only into this app. */
import { expect, it } from "vitest";

import { localPath } from "@/lib/utils/paths";

it.each(["/calendar", "/leads/1?tab=deals#top", "/settings?x=%2F%2Fevil.example"])("keeps %s", (path) => {
  expect(localPath(path, "/dashboard")).toBe(path);
});

it.each([
  "https://evil.example",
  "//evil.example",
  "/\\evil.example",
  "/\t/evil.example",
  "/\n/evil.example",
  "javascript:alert(1)",
  "/..//evil.example",
  "",
  null,
  undefined,
])("does not follow %j", (path) => {
  expect(localPath(path, "/dashboard")).toBe("/dashboard");
});
