/** Hashtags, mentions and cashtags in a text, and LinkedIn's escapes, as the server finds and makes them. */

// Not all digits: "#1" is a rank. Not within a word or an address: "page#part", "shop/#menu".
const HASHTAG = /(?<![\p{L}\p{M}\p{N}_&/])[#＃]([\p{L}\p{M}\p{N}_]*[\p{L}\p{M}_][\p{L}\p{M}\p{N}_]*)/gu;
const MENTION = /(?<![\p{L}\p{M}\p{N}_@/.+-])[@＠]([\p{L}\p{M}\p{N}_](?:[\p{L}\p{M}\p{N}_.]*[\p{L}\p{M}\p{N}_])?)/gu;
const CASHTAG = /(?<!\S)\$([a-z]{1,6}(?:[._][a-z]{1,2})?)(?=$|\s|\p{P})/giu;
// LinkedIn's own notation: a hashtag becomes a template, every other reserved character gets a backslash.
const TO_ESCAPE = /(?<![^\s(["'“‘«])#([\p{L}\p{N}_]*[\p{L}\p{Nl}\p{No}][\p{L}\p{N}_]*)|[\\|{}@[\]()<>#*_~]/gu;

export function hashtags(text: string): string[] {
  return Array.from(text.matchAll(HASHTAG), (found) => found[1] ?? "");
}

export function mentions(text: string): string[] {
  return Array.from(text.matchAll(MENTION), (found) => found[1] ?? "");
}

export function cashtags(text: string): string[] {
  return Array.from(text.matchAll(CASHTAG), (found) => found[1] ?? "");
}

/** Plain text as LinkedIn reads it; its limit is counted in this form. */
export function escapeLittleText(text: string): string {
  return text.replace(TO_ESCAPE, (found, tag: string | undefined) =>
    tag === undefined ? `\\${found}` : `{hashtag|\\#|${tag.replaceAll("_", "\\_")}}`,
  );
}
