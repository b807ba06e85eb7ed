"use client";

import { Plus, Trash2 } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { ALT_MAX, MEDIA_MAX, type RequestDraft } from "@/lib/posts/request-draft";

type Media = RequestDraft["media"];

/** The files of a request: paths in the client's media storage, each with its description. */
export function RequestMedia({
  media,
  faults,
  onChange,
}: {
  media: Media;
  faults: Record<string, string>;
  onChange: (media: Media) => void;
}) {
  const change = (place: number, part: Partial<Media[number]>) =>
    onChange(media.map((file, other) => (other === place ? { ...file, ...part } : file)));
  return (
    <fieldset className="flex flex-col gap-3">
      <legend className="mb-1 text-sm font-medium">Pictures and videos (optional)</legend>
      {media.map((file, place) => (
        <div
          key={place}
          className="grid items-start gap-3 rounded-lg border border-line p-3 sm:grid-cols-[1fr_1fr_auto]"
        >
          <Field label={`File ${place + 1}: path`} error={faults[`media[${place}]`] ?? faults[`media[${place}].path`]}>
            <Input
              value={file.path}
              placeholder="2026/pie.jpg"
              autoComplete="off"
              spellCheck={false}
              onChange={(event) => change(place, { path: event.target.value })}
            />
          </Field>
          <Field label="Description" hint="For people who cannot see it">
            <Input
              value={file.alt}
              maxLength={ALT_MAX}
              onChange={(event) => change(place, { alt: event.target.value })}
            />
          </Field>
          <Button
            variant="ghost"
            size="icon"
            className="sm:mt-6.5"
            aria-label={`Remove file ${place + 1}`}
            onClick={() => onChange(media.filter((_, other) => other !== place))}
          >
            <Trash2 aria-hidden />
          </Button>
        </div>
      ))}
      {faults.media ? (
        <p role="alert" className="text-[0.8125rem] text-bad">
          {faults.media}
        </p>
      ) : null}
      {media.length < MEDIA_MAX ? (
        <Button variant="secondary" className="w-fit" onClick={() => onChange([...media, { path: "", alt: "" }])}>
          <Plus aria-hidden />
          Add a file
        </Button>
      ) : null}
    </fieldset>
  );
}
