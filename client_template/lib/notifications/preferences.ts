/**
 * What a person wants to hear on which channel: the same rules as the server's catalogue of events, which events.json
 * is a copy of (a test of the server keeps the two equal).
 */
import groups from "./events.json";

export type Channel = "email" | "whatsapp" | "in_app";
export type Mode = "now" | "digest" | "off";
export const CHANNELS: readonly Channel[] = ["email", "whatsapp", "in_app"];
export const CHANNEL_NAMES: Record<Channel, string> = { email: "Mail", whatsapp: "WhatsApp", in_app: "In the app" };
export const MODE_NAMES: Record<Mode, string> = { now: "At once", digest: "Once a day", off: "Off" };

export type NewsEvent = {
  name: string;
  title: string;
  channels: string[];
  can_wait: boolean;
  can_unsubscribe: boolean;
  whatsapp: boolean;
};
export const EVENT_GROUPS: readonly { group: string; events: readonly NewsEvent[] }[] = groups;

/** A row of notification_preferences. Event "*" stands for every event without a row of its own. */
export type Preference = { event: string; channel: Channel; mode: Mode };
const EVERY_EVENT = "*";

/** What may be chosen; one choice only where the server keeps to it whatever is stored, none where nothing is sent. */
export function choices(event: NewsEvent, channel: Channel): readonly Mode[] {
  if (channel === "whatsapp" && !event.whatsapp) return [];
  if (channel !== "email") return ["now", "off"];
  if (!event.can_unsubscribe) return ["now"];
  return event.can_wait ? ["now", "digest", "off"] : ["now", "off"];
}

/** What becomes of an event on a channel. */
export function modeOf(event: NewsEvent, channel: Channel, preferences: readonly Preference[]): Mode {
  if (channel === "email" && !event.can_unsubscribe) return "now";
  const row = (name: string) => preferences.find((one) => one.event === name && one.channel === channel)?.mode;
  const chosen = row(event.name) ?? row(EVERY_EVENT) ?? (event.channels.includes(channel) ? "now" : "off");
  return chosen === "digest" && !event.can_wait ? "now" : chosen;
}

/** The preferences as they look once one is stored. */
export function withPreference(preferences: readonly Preference[], chosen: Preference): Preference[] {
  const others = preferences.filter((one) => one.event !== chosen.event || one.channel !== chosen.channel);
  return [...others, chosen];
}
