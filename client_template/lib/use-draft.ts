/**
 * What somebody has typed and not sent yet, kept for this tab (sessionStorage) until it is sent or thrown away: a
 * failed call, a closed dialog or a reload loses nothing. Name the person in the key: the next one at this tab is
 * somebody else.
 */
import { useCallback, useMemo, useSyncExternalStore } from "react";

const PREFIX = "draft:";
const listeners = new Set<() => void>();
/** Where the browser keeps nothing for us (private windows, a full store), until the page is left. */
const unkept = new Map<string, string>();

/** The draft, or null, and how to change it (null: throw it away). `read` makes a draft of what was kept, or null. */
export function useDraft<T>(key: string, read: (kept: unknown) => T | null): [T | null, (draft: T | null) => void] {
  const text = useSyncExternalStore(
    subscribe,
    () => kept(key),
    () => null,
  );
  const draft = useMemo(() => parsed(text, read), [text, read]);
  const change = useCallback((next: T | null) => keep(key, next === null ? null : JSON.stringify(next)), [key]);
  return [draft, change];
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

function kept(key: string): string | null {
  try {
    return sessionStorage.getItem(PREFIX + key) ?? unkept.get(key) ?? null;
  } catch {
    return unkept.get(key) ?? null;
  }
}

function keep(key: string, text: string | null): void {
  unkept.delete(key);
  try {
    if (text === null) sessionStorage.removeItem(PREFIX + key);
    else sessionStorage.setItem(PREFIX + key, text);
  } catch {
    if (text !== null) unkept.set(key, text);
  }
  for (const listener of listeners) listener();
}

function parsed<T>(text: string | null, read: (kept: unknown) => T | null): T | null {
  if (text === null) return null;
  try {
    return read(JSON.parse(text));
  } catch {
    return null;
  }
}
