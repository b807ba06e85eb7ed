import { explain } from "@/lib/data-error";
import { CallRefused } from "./calls";
import { ChangedMeanwhile } from "./data";

/** What to say of an error about posts: what happened, and what to do. */
export function told(error: unknown): string {
  return error instanceof CallRefused || error instanceof ChangedMeanwhile ? error.message : explain(error);
}
