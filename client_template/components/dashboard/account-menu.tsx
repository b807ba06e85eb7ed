"use client";

import { ChevronsUpDown, LogOut, Settings } from "lucide-react";
import Link from "next/link";
import { useRef } from "react";

import { initials } from "@/components/dashboard/brand-mark";
import { usePerson } from "@/components/dashboard/person";
import {
  DropdownMenu,
  DropdownMenuContent,
  DropdownMenuItem,
  DropdownMenuLabel,
  DropdownMenuSeparator,
  DropdownMenuTrigger,
} from "@/components/ui/dropdown-menu";
import { ROLE_NAMES } from "@/lib/roles";
import { cn } from "@/lib/utils/classes";

/** Who is signed in, and the way out. `isWide`: with the name, at the foot of the menu at the side. */
export function AccountMenu({ isWide = false }: { isWide?: boolean }) {
  const { email, fullName, role } = usePerson();
  const form = useRef<HTMLFormElement>(null);
  const name = fullName || email;
  return (
    <>
      <form ref={form} action="/auth/logout" method="post" hidden />
      <DropdownMenu>
        <DropdownMenuTrigger
          className={cn(
            "flex cursor-pointer items-center gap-3 rounded-lg text-left hover:bg-surface-muted data-[state=open]:bg-surface-muted",
            isWide ? "w-full p-2" : "size-10 justify-center",
          )}
        >
          <span
            aria-hidden
            className="flex size-8 shrink-0 items-center justify-center rounded-full bg-brand-soft text-xs font-semibold text-brand-text"
          >
            {initials(name)}
          </span>
          <span className="sr-only">Account of {isWide ? null : name}</span>
          {isWide ? (
            <>
              <span className="min-w-0 flex-1">
                <span className="block truncate text-sm leading-5 font-medium">{name}</span>
                <span className="block text-xs leading-4 text-text-muted">{ROLE_NAMES[role]}</span>
              </span>
              <ChevronsUpDown className="size-4 shrink-0 text-text-muted" aria-hidden />
            </>
          ) : null}
        </DropdownMenuTrigger>
        <DropdownMenuContent align={isWide ? "start" : "end"} side={isWide ? "top" : "bottom"} className="w-56">
          <DropdownMenuLabel className="flex flex-col gap-0.5">
            <span className="truncate text-sm text-text">{name}</span>
            <span className="truncate font-normal">{fullName ? email : ROLE_NAMES[role]}</span>
          </DropdownMenuLabel>
          <DropdownMenuSeparator />
          <DropdownMenuItem asChild>
            <Link href="/settings">
              <Settings aria-hidden />
              Settings
            </Link>
          </DropdownMenuItem>
          <DropdownMenuItem onSelect={() => form.current?.requestSubmit()}>
            <LogOut aria-hidden />
            Sign out
          </DropdownMenuItem>
        </DropdownMenuContent>
      </DropdownMenu>
    </>
  );
}
