"use client";

import { Eye, EyeOff } from "lucide-react";
import { useState, type ComponentProps } from "react";

import { Input } from "@/components/ui/input";

/** A password that its typist may look at. */
export function PasswordInput(props: Omit<ComponentProps<"input">, "type" | "className">) {
  const [isShown, setShown] = useState(false);
  const Icon = isShown ? EyeOff : Eye;
  return (
    <div className="relative">
      <Input {...props} type={isShown ? "text" : "password"} className="pr-11" spellCheck={false} autoCapitalize="none" />
      <button
        type="button"
        onClick={() => setShown(!isShown)}
        aria-label={isShown ? "Hide the password" : "Show the password"}
        className="absolute top-1 right-1 flex size-8 cursor-pointer items-center justify-center rounded-md text-text-muted hover:bg-surface-muted hover:text-text"
      >
        <Icon className="size-4" aria-hidden />
      </button>
    </div>
  );
}
