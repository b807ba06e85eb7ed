import { describe, expect, it } from "vitest";

import { formatMoney, parseMoney, sumByCurrency } from "@/lib/money";

/** Locales differ in which space they take, and that is not what these tests are about. */
const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

describe("money is written as the client's locale writes it", () => {
  it("with cents", () => {
    expect(plain(formatMoney(123456, "ZAR", "en-ZA"))).toMatch(/^R ?1 234[,.]56$/);
  });

  it("without cents only where there are none and whole amounts are asked for", () => {
    expect(plain(formatMoney(250000, "ZAR", "en-US", { whole: true }))).toBe("R 2,500");
    expect(plain(formatMoney(250050, "ZAR", "en-US", { whole: true }))).toBe("R 2,500.50");
    expect(plain(formatMoney(250000, "ZAR", "en-US"))).toBe("R 2,500.00");
  });
});

describe("what people type becomes cents", () => {
  it.each([
    ["1234", 123400],
    ["1 234,56", 123456],
    ["R1,234.56", 123456],
    ["R 12 500", 1250000],
    ["ZAR 99.9", 9990],
    ["1,234", 123400],
    ["0", 0],
    ["1.234.567,89", 123456789],
  ])("%s", (typed, cents) => {
    expect(parseMoney(typed)).toBe(cents);
  });

  it.each(["", "abc", "-5", "1,23,456", "12345,678", "=1+1", "1e9", "999999999999999999"])("%s is no amount", (typed) => {
    expect(parseMoney(typed)).toBeNull();
  });
});

it("never adds two currencies to one sum", () => {
  const sums = sumByCurrency([
    { cents: 100, currency: "USD" },
    { cents: 5000, currency: "ZAR" },
    { cents: 250, currency: "USD" },
  ]);

  expect(sums).toEqual([
    { cents: 5000, currency: "ZAR" },
    { cents: 350, currency: "USD" },
  ]);
});
