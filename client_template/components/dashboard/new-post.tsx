"use client";

import { Plus } from "lucide-react";
import Link from "next/link";
import { usePathname } from "next/navigation";

import { usePerson } from "@/components/dashboard/person";
import { Button } from "@/components/ui/button";
import { hasModule } from "@/lib/config";
import { can } from "@/lib/roles";

/** What people come for most, one click away; on phones it is in the menu under the thumb. */
export function NewPost() {
  const { role } = usePerson();
  const isThere = usePathname() === "/generate";
  if (isThere || !hasModule("content") || !can(role, "generate")) return null;
  return (
    <Button asChild size="sm" className="mr-2 hidden lg:inline-flex">
      <Link href="/generate">
        <Plus aria-hidden />
        New post
      </Link>
    </Button>
  );
}
