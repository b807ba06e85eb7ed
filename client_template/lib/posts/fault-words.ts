/** The faults of a draft as the app tells them to whoever is writing. */
import type { Fault } from "./rules";

export function inPlainWords({ field, limit, value, message }: Fault): string {
  const counted = /\.(hashtags|mentions|cashtags|links)$/.exec(field)?.[1];
  if (counted) return `${value} ${counted}; at most ${limit} are taken.`;
  if (field.endsWith(".thread")) return `${value} posts after the first; at most ${limit} are taken.`;
  if (field.endsWith(".format"))
    return value === "text"
      ? "This network takes no post without a picture or video."
      : "These files make no post there.";
  if (/(^|\.)(text|first_comment|thread\[\d+\])$/.test(field)) {
    if (value === 0) return "It has no words yet.";
    if (typeof value === "number" && typeof limit === "number") return `${value - limit} over the limit of ${limit}.`;
    return "It holds a character that cannot be published.";
  }
  const place = /media\[(\d+)\]\.?(.*)$/.exec(field);
  const what = message.slice(field.length + 2);
  return place
    ? `File ${Number(place[1]) + 1}${place[2] ? `, ${place[2].replaceAll("_", " ")}` : ""}: ${what}.`
    : `${what}.`;
}
