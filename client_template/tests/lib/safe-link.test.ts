import { describe, expect, it } from "vitest";

import { appOrWebLink, webLink } from "@/lib/safe-link";

describe("links from data", () => {
  it.each(["javascript:alert(1)", "data:text/html,x", "https://a:b@bank.example/", "//evil.example", "", null])(
    "%j leads to no other site",
    (address) => {
      expect(webLink(address)).toBeNull();
      expect(appOrWebLink(address)).toBeNull();
    },
  );

  it.each(["/\n/evil.example", "/\t/evil.example", "/\\evil.example", "/\r\n/evil.example", "/a\\b"])(
    "%j is no path of this app",
    (address) => expect(appOrWebLink(address)).toBeNull(),
  );

  it("keeps what may stand in a link", () => {
    expect(appOrWebLink("/approvals?post=1")).toBe("/approvals?post=1");
    expect(appOrWebLink("https://kloof-coffee.example/menu")).toBe("https://kloof-coffee.example/menu");
  });
});
