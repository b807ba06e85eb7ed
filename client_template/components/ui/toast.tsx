"use client";

import { useTheme } from "next-themes";
import { Toaster as Sonner, toast } from "sonner";

export { toast };

/** Where `toast(...)` appears; the app has one, in its providers. */
export function Toaster() {
  const { resolvedTheme } = useTheme();
  return (
    <Sonner
      theme={resolvedTheme === "dark" ? "dark" : "light"}
      position="bottom-right"
      closeButton
      containerAriaLabel="Messages"
      toastOptions={{
        classNames: {
          toast: "!rounded-xl !border-line !bg-surface !text-text !shadow-lg !font-sans",
          description: "!text-text-muted",
          actionButton: "!bg-brand !text-brand-contrast",
          cancelButton: "!bg-surface-muted !text-text",
          closeButton: "!border-line !bg-surface !text-text",
          success: "[&_[data-icon]]:!text-good",
          error: "[&_[data-icon]]:!text-bad",
          warning: "[&_[data-icon]]:!text-warn",
        },
      }}
    />
  );
}
