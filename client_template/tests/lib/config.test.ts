/** client.config.json: what the build refuses, and dates as the organization reads them. */
import { expect, it } from "vitest";

import file from "@/client.config.json";
import { clientConfig } from "@/lib/config-schema";
import { formatAgo, formatDay, formatMoment } from "@/lib/utils/dates";
import { inZone } from "@/lib/utils/zone";

it("takes the file of the template", () => {
  expect(clientConfig.parse(file).slug).toBe("example-business");
});

it.each([
  ["an unknown field", { ...file, colour: "red" }],
  ["a colour that is none", { ...file, branding: { ...file.branding, primaryColor: "red;}" } }],
  ["a logo of another host", { ...file, branding: { ...file.branding, logo: "//evil.example/logo.svg" } }],
  ["a zone that there is not", { ...file, timezone: "Mars/Olympus" }],
  ["a module that there is not", { ...file, modules: ["shop"] }],
])("refuses %s", (_name, wrong) => {
  expect(clientConfig.safeParse(wrong).success).toBe(false);
});

it("shows a moment in the organization's zone and not in the browser's", () => {
  expect(inZone("2026-11-23T22:30:00+00:00").toFormat("yyyy-MM-dd HH:mm")).toBe("2026-11-24 00:30");
  expect(formatMoment("2026-11-23T22:30:00+00:00")).toContain("00:30");
  expect(formatDay("2026-11-23")).toContain("23");
  expect(formatDay("not a date")).toBe("");
});

it("says how long ago it was, and the day when that is more use", () => {
  const now = new Date("2026-11-23T12:00:00Z");

  expect(formatAgo("2026-11-23T11:59:40Z", now)).toBe("just now");
  expect(formatAgo("2026-11-23T09:00:00Z", now)).toBe("3 hours ago");
  expect(formatAgo("2026-11-01T09:00:00Z", now)).toContain("2026");
});
