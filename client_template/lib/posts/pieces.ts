/** A post's words cut where networks colour them: addresses, hashtags, mentions. Nothing becomes a real link. */
import { findUrls } from "./x-length";

export type Piece = { text: string; marked: boolean };

const MARK = /(?<![\p{L}\p{M}\p{N}_&/@.+-])[#＃@＠][\p{L}\p{M}\p{N}_]*[\p{L}\p{M}_][\p{L}\p{M}\p{N}_.]*(?<!\.)/gu;

/** The pieces in order; together they are the text. */
export function pieces(text: string): Piece[] {
  const spans = [...urlSpans(text), ...markSpans(text)].sort((a, b) => a[0] - b[0]);
  const found: Piece[] = [];
  let position = 0;
  for (const [start, end] of spans) {
    if (start < position) continue;
    if (start > position) found.push({ text: text.slice(position, start), marked: false });
    found.push({ text: text.slice(start, end), marked: true });
    position = end;
  }
  if (position < text.length) found.push({ text: text.slice(position), marked: false });
  return found;
}

function urlSpans(text: string): [number, number][] {
  let from = 0;
  return findUrls(text).flatMap((url): [number, number][] => {
    const start = text.indexOf(url, from);
    if (start < 0) return [];
    from = start + url.length;
    return [[start, from]];
  });
}

function markSpans(text: string): [number, number][] {
  return Array.from(text.matchAll(MARK), (found) => [found.index, found.index + found[0].length]);
}
