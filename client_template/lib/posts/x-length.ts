/**
 * How long a text is for X, where characters weigh 1 or 2, an emoji 2 and a web address 23; and where X sees addresses.
 * X's reference implementation does the work. It is large: import this only from the routes that edit or show posts.
 */
import twitter from "twitter-text";

export const MAX_WEIGHTED_LENGTH = 280;

const INVALID = /[\ufffe\ufeff\uffff]/;

export function weightedLength(text: string): number {
  return twitter.parseTweet(text).weightedLength;
}

/** Byte order marks and non-characters, which X takes in no post. */
export function hasInvalidCharacter(text: string): boolean {
  return INVALID.test(text);
}

export function isValidForX(text: string): boolean {
  const length = weightedLength(text);
  return length > 0 && length <= MAX_WEIGHTED_LENGTH && !hasInvalidCharacter(text);
}

/** The index of the last UTF-16 unit that still fits into a post; 0 if nothing fits. */
export function validRangeEnd(text: string): number {
  return twitter.parseTweet(text).validRangeEnd;
}

export function findUrls(text: string): string[] {
  return twitter.extractUrls(text.normalize("NFC"));
}
