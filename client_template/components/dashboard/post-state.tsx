import {
  CalendarCheck,
  CircleCheck,
  CircleDashed,
  CirclePause,
  CircleX,
  Eye,
  PencilLine,
  Undo2,
  type LucideIcon,
} from "lucide-react";

import { Badge } from "@/components/ui/badge";
import { POST_STATES, type PostStatus } from "@/lib/posts/states";

const ICONS: Record<PostStatus, LucideIcon> = {
  draft: PencilLine,
  blocked: CirclePause,
  in_review: Eye,
  changes_requested: Undo2,
  rejected: CircleX,
  approved: CircleCheck,
  scheduled: CalendarCheck,
  published: CircleCheck,
  partly_published: CircleDashed,
  failed: CircleX,
  withdrawn: Undo2,
  archived: CirclePause,
};

/** A post's state in words, with an icon and a colour that say the same. */
export function PostState({ status, className }: { status: PostStatus; className?: string }) {
  const { label, tone } = POST_STATES[status];
  const Icon = ICONS[status];
  return (
    <Badge variant={tone} className={className}>
      <Icon aria-hidden />
      {label}
    </Badge>
  );
}
