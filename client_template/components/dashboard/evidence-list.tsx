/** The quotes behind a claim, each with its page. Quotes and addresses come from strangers: texts stay texts. */
import { BadgeCheck, CircleHelp } from "lucide-react";

import { isSupported, type Quote } from "@/lib/leads";
import { webLink } from "@/lib/safe-link";

export function Verified({ evidence }: { evidence: readonly Quote[] }) {
  return isSupported(evidence) ? (
    <span className="inline-flex items-center gap-1 text-xs text-good">
      <BadgeCheck className="size-3.5" aria-hidden />
      found on the page
    </span>
  ) : (
    <span className="inline-flex items-center gap-1 text-xs text-warn">
      <CircleHelp className="size-3.5" aria-hidden />
      not verified
    </span>
  );
}

export function EvidenceList({ evidence }: { evidence: readonly Quote[] }) {
  const shown = evidence.filter((one) => one.supported);
  if (!shown.length) return null;
  return (
    <ul className="flex flex-col gap-2">
      {shown.map((one, place) => (
        <li key={place} className="border-l-2 border-line pl-3 text-sm text-text-muted">
          <q className="break-words">{one.quote}</q>
          <WebAddress address={one.url} className="block text-xs" />
        </li>
      ))}
    </ul>
  );
}

/** An address as a link to another site, or as mere text where it does not lead to a page. */
export function WebAddress({ address, className }: { address: string | null | undefined; className?: string }) {
  if (!address) return null;
  const link = webLink(address);
  const text = <span className="break-all">{address.replace(/^https?:\/\//, "")}</span>;
  if (!link) return <span className={className}>{text}</span>;
  return (
    <span className={className}>
      <a href={link} target="_blank" rel="noreferrer noopener nofollow" className="text-brand-text underline underline-offset-2">
        {text}
      </a>
    </span>
  );
}
