/** The client's colours: readable in both themes, whatever was chosen. */
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

import { brandColours, brandStyles, contrast } from "@/lib/branding";

const css = readFileSync("app/globals.css", "utf-8");

/** A colour of app/globals.css: the first block is light, the second dark. */
function token(name: string, theme: "light" | "dark"): string {
  const block = css.split(theme === "light" ? ":root {" : ".dark {")[1]!.split("}")[0]!;
  return new RegExp(`--${name}: (#[0-9a-f]{6})`).exec(block)![1]!;
}

describe.each(["light", "dark"] as const)("in the %s theme", (theme) => {
  it.each(["#0f766e", "#000000", "#ffffff", "#ffff00", "#1e3a8a", "#dc2626", "#777777"])(
    "makes %s readable as text, as a ground and as a shape",
    (primary) => {
      const { brand, brandContrast, brandStrong, brandText, brandSoft } = brandColours(primary, theme);

      for (const ground of ["background", "surface", "surface-muted"]) {
        expect(contrast(brandText, token(ground, theme))).toBeGreaterThanOrEqual(4.5);
      }
      expect(contrast(brandText, brandSoft)).toBeGreaterThanOrEqual(4.4); // rounded to whole steps of colour
      expect(contrast(brandContrast, brand)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(brandContrast, brandStrong)).toBeGreaterThanOrEqual(4.5);
      expect(contrast(brand, token("surface", theme))).toBeGreaterThanOrEqual(3);
    },
  );

  it.each(["text", "text-muted", "good", "warn", "bad"])("has --%s readable on every ground", (name) => {
    for (const ground of ["background", "surface", "surface-muted"]) {
      expect(contrast(token(name, theme), token(ground, theme))).toBeGreaterThanOrEqual(4.5);
    }
  });

  it("shows where a control begins", () => {
    for (const ground of ["background", "surface"]) {
      expect(contrast(token("line-strong", theme), token(ground, theme))).toBeGreaterThanOrEqual(3);
    }
  });
});

it("leaves a colour as it is where it is readable already", () => {
  expect(brandColours("#0f766e", "light")).toMatchObject({ brand: "#0f766e", brandText: "#0f766e", brandContrast: "#ffffff" });
});

it("writes rules without a character that could end the style element", () => {
  expect(brandStyles("#0f766e", "#f59e0b")).toMatch(/^[a-z0-9:;{}#.-]+$/);
});
