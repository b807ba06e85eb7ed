"use client";

import { WifiOff } from "lucide-react";
import { useSyncExternalStore } from "react";

function subscribe(changed: () => void): () => void {
  window.addEventListener("online", changed);
  window.addEventListener("offline", changed);
  return () => {
    window.removeEventListener("online", changed);
    window.removeEventListener("offline", changed);
  };
}

/** Says when the device is offline: what is on the screen may be old, and what is typed stays. */
export function ConnectionNotice() {
  const isOnline = useSyncExternalStore(
    subscribe,
    () => navigator.onLine,
    () => true,
  );
  return (
    <div role="status">
      {isOnline ? null : (
        <p className="flex items-center gap-2.5 border-b border-warn/30 bg-warn/10 px-4 py-2 text-sm leading-5 sm:px-5 lg:px-8">
          <WifiOff className="size-4 shrink-0 text-warn" aria-hidden />
          You are offline. What you see may be old; what you type stays on this device until you are back.
        </p>
      )}
    </div>
  );
}
