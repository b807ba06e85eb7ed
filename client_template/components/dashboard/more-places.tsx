"use client";

import { Ellipsis } from "lucide-react";
import { useState } from "react";

import { isAt, type Place } from "@/components/dashboard/nav-items";
import { SideLink } from "@/components/dashboard/side-link";
import { Dialog, DialogContent, DialogHeader, DialogTitle, DialogTrigger } from "@/components/ui/dialog";

/** What does not fit under the thumb on phones. */
export function MorePlaces({ places, pathname, className }: { places: Place[]; pathname: string; className: string }) {
  const [isOpen, setOpen] = useState(false);
  return (
    <Dialog open={isOpen} onOpenChange={setOpen}>
      <DialogTrigger className={className}>
        <Ellipsis className="size-5" aria-hidden />
        More
      </DialogTrigger>
      <DialogContent aria-describedby={undefined}>
        <DialogHeader>
          <DialogTitle>More</DialogTitle>
        </DialogHeader>
        <div className="grid gap-1 pb-[env(safe-area-inset-bottom)]" onClick={() => setOpen(false)}>
          {places.map((place) => (
            <SideLink key={place.href} place={place} isHere={isAt(pathname, place.href)} />
          ))}
        </div>
      </DialogContent>
    </Dialog>
  );
}
