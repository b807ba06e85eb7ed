/** What the database's answers mean to people: what happened, and what to do about it. */

/** The parts of a PostgREST answer that matter here. */
type Answer<T> = { data: T | null; error: { code?: string; message: string; hint?: string | null } | null; status: number };

/** A refused or failed call; `message` is for people. */
export class DataError extends Error {
  readonly code: string;
  readonly status: number;

  constructor(code: string, status: number, message: string) {
    super(message);
    this.name = "DataError";
    this.code = code;
    this.status = status;
  }
}

/** The data of an answer. Throws DataError: a failed read must never look like an empty one. */
export function dataOf<T>(answer: Answer<T>): T {
  const { data, error, status } = answer;
  if (error) throw new DataError(error.code ?? "", status, meaning(error, status));
  return data as T;
}

/**
 * The same, as rows of a shape that the caller knows better than the generated types: columns that are put together by
 * code, and jsonb whose shape the server vouches for.
 */
export function dataAs<T>(answer: Answer<unknown>): T {
  return dataOf(answer) as T;
}

function meaning(error: { code?: string; message: string; hint?: string | null }, status: number): string {
  const code = error.code ?? "";
  if (status === 401 || code.startsWith("PGRST3")) return "Your session has ended. Sign in again, then repeat it.";
  if (status === 403 || code === "42501") return "Your role does not allow this. Ask an owner or admin of your organization.";
  if (code === "23505") return "This exists already.";
  // A check of ours that wrote a hint wrote its message for people as well.
  if (code === "23514" && error.hint) return sentence(error.message) + " " + sentence(error.hint);
  if (code === "23514" || code === "22P02" || code === "22023") return "A value is not accepted. Check what you typed.";
  if (status === 0 || status >= 500) return "The server does not answer. Check your connection, then try again.";
  return "The server did not accept it. Load the page again; if it stays so, tell DraggonnB.";
}

function sentence(text: string): string {
  const whole = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}

/** What to say of anything that was thrown. */
export function explain(error: unknown): string {
  if (error instanceof DataError) return error.message;
  return "The server does not answer. Check your connection, then try again.";
}

/** A part of a page that may fail alone, without the rest of the page. */
export type Attempt<T> = { ok: true; data: T } | { ok: false; reason: string };

export async function attempt<T>(read: () => Promise<T>): Promise<Attempt<T>> {
  try {
    return { ok: true, data: await read() };
  } catch (error) {
    console.error("a part of the page could not be read", error);
    return { ok: false, reason: explain(error) };
  }
}
