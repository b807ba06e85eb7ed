/** The sums of a range, each against the range before it. Works on the server and in the browser. */
import { Card } from "@/components/ui/card";
import { changeOf, FIGURES, seriesOf, totalOf, type FigureName } from "@/lib/analytics/figures";
import { RANGES, type Range } from "@/lib/analytics/ranges";
import type { Platform, Snapshot } from "@/lib/analytics/snapshots";
import { changeText, number, NOT_KNOWN, NOTHING_TO_COUNT } from "@/lib/analytics/words";

const TILES: readonly FigureName[] = ["reach", "views", "engagements", "published"];

type Props = { snapshots: readonly Snapshot[]; range: Range; platform: Platform | null };

export function AnalyticsTiles({ snapshots, range, platform }: Props) {
  return (
    <dl className="grid grid-cols-2 gap-3 lg:grid-cols-4">
      {TILES.map((name) => (
        <Tile key={name} name={name} snapshots={snapshots} range={range} platform={platform} />
      ))}
    </dl>
  );
}

function Tile({ name, snapshots, range, platform }: Props & { name: FigureName }) {
  const now = totalOf(seriesOf(snapshots, range, name, platform));
  const before = totalOf(seriesOf(snapshots, { kind: range.kind, starts: range.before }, name, platform));
  const change = changeOf(now, before);
  const unknown = now.missing > 0 ? NOT_KNOWN : NOTHING_TO_COUNT;
  const notes = [
    ...(now.missing ? [`without ${now.missing} of ${range.starts.length} ${range.kind}s that are not known`] : []),
    ...(now.partial ? [`${now.partial} ${range.kind}s lack some posts`] : []),
  ];
  return (
    <Card className="flex min-w-0 flex-col gap-1 p-4">
      <dt className="text-sm text-text-muted">{FIGURES[name]}</dt>
      <dd className="flex flex-col gap-1">
        <span className={now.value === null ? "text-lg text-text-muted" : "text-2xl font-semibold tabular-nums"}>
          {now.value === null ? unknown : number(now.value)}
        </span>
        {change ? <span className="text-xs text-text-muted">{changeText(change, RANGES[range.key].label)}</span> : null}
        {notes.length ? <span className="text-xs text-warn">{notes.join("; ")}</span> : null}
      </dd>
    </Card>
  );
}
