"use client";

/** The signed-in person for client components. What they may see and write is decided by the database all the same. */
import { createContext, useContext, type ReactNode } from "react";

import type { Role } from "@/lib/roles";

export interface SignedIn {
  id: string;
  email: string;
  fullName: string | null;
  role: Role;
}

const Current = createContext<SignedIn | null>(null);

export function PersonProvider({ person, children }: { person: SignedIn; children: ReactNode }) {
  return <Current value={person}>{children}</Current>;
}

export function usePerson(): SignedIn {
  const person = useContext(Current);
  if (!person) throw new Error("usePerson belongs inside the dashboard's layout");
  return person;
}
