/**
 * Whose app this is: client.config.json.
 *
 * Not here: the check of that file (lib/config-schema.ts, which the build runs), addresses and keys (lib/environment.ts).
 */
import file from "@/client.config.json";
import type { ClientConfig } from "@/lib/config-schema";

export type { ClientConfig };
export type Module = ClientConfig["modules"][number];

export const config = file as ClientConfig;

export function hasModule(module: Module): boolean {
  return config.modules.includes(module);
}
