/**
 * CSV (RFC 4180) that a spreadsheet opens without running anything in it.
 *
 * A text that begins like a formula gets an apostrophe before it, as OWASP's "CSV Injection" page advises; numbers stay
 * numbers, so that a negative one is no formula either. Null is an empty cell.
 */
import { FIGURE_NAMES, seriesOf } from "./figures";
import type { Range } from "./ranges";
import { PLATFORMS, type Platform, type Snapshot } from "./snapshots";

export type Cell = string | number | boolean | null;

// Full-width forms too: some spreadsheets read them as their plain ones.
const FORMULA = /^[\s\u0000]*[=+\-@\uff1d\uff0b\uff0d\uff20]|^[\t\r\n]/;

function csvCell(cell: Cell): string {
  if (cell === null) return "";
  if (typeof cell === "boolean") return cell ? "yes" : "no";
  if (typeof cell === "number") return String(cell);
  const text = FORMULA.test(cell) ? `'${cell}` : cell;
  return /[",;\r\n\t']/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** With a byte order mark, without which Excel misreads letters beyond ASCII. */
export function toCsv(rows: readonly (readonly Cell[])[]): string {
  return "\ufeff" + rows.map((row) => row.map(csvCell).join(",") + "\r\n").join("");
}

/** A row for each period and platform: every figure, whether it was restated, and why a number is absent. */
export function analyticsRows(snapshots: readonly Snapshot[], range: Range, platform: Platform | null): Cell[][] {
  const wanted: (Platform | null)[] = platform === null ? [null, ...PLATFORMS] : [platform];
  const rows: Cell[][] = [["from", "to (not included)", "platform", ...FIGURE_NAMES, "restated", "notes"]];
  for (const one of wanted) {
    const series = FIGURE_NAMES.map((name) => seriesOf(snapshots, range, name, one));
    range.starts.forEach((start, place) => {
      const points = series.map((points) => points[place]);
      const notes = points.flatMap((point, figure) =>
        point && point.state !== "known" && point.state !== "nothing" ? [`${FIGURE_NAMES[figure]}: ${point.note}`] : [],
      );
      const values = points.map((point) => point?.value ?? null);
      const first = points[0];
      rows.push([start, first?.end ?? null, one ?? "all", ...values, first?.restated ?? false, notes.join("; ")]);
    });
  }
  return rows;
}
