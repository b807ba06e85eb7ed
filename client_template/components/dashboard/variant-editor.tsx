"use client";

/** The words for one network: post, thread and first comment, each with its length as the network counts it. */
import { Plus, Trash2 } from "lucide-react";

import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Textarea } from "@/components/ui/textarea";
import { inPlainWords } from "@/lib/posts/fault-words";
import { textRules, type TextRule } from "@/lib/posts/limits";
import { PLATFORM_NAMES, type Platform } from "@/lib/posts/platforms";
import { checkText, textLength, type Variant } from "@/lib/posts/rules";

interface VariantEditorProps {
  platform: Platform;
  variant: Variant;
  onChange: (variant: Variant) => void;
}

export function VariantEditor({ platform, variant, onChange }: VariantEditorProps) {
  const rule = textRules(platform);
  const change = (part: Partial<Variant>) => onChange({ ...variant, ...part });
  const changeThread = (thread: string[]) => change({ thread });
  return (
    <div className="flex flex-col gap-4">
      <Words
        label={`Post on ${PLATFORM_NAMES[platform]}`}
        text={variant.text}
        rule={rule.text}
        onChange={(text) => change({ text })}
      />
      {variant.thread.map((text, place) => (
        <div key={place} className="flex flex-col items-start gap-1">
          <Words
            label={`Thread, post ${place + 2}`}
            text={text}
            rule={rule.text}
            onChange={(next) => changeThread(variant.thread.with(place, next))}
          />
          <Button variant="ghost" size="sm" onClick={() => changeThread(variant.thread.toSpliced(place, 1))}>
            <Trash2 aria-hidden />
            Remove post {place + 2}
          </Button>
        </div>
      ))}
      {variant.thread.length < rule.thread_max ? (
        <Button variant="secondary" size="sm" className="w-fit" onClick={() => changeThread([...variant.thread, ""])}>
          <Plus aria-hidden />
          Add a post to the thread
        </Button>
      ) : null}
      {rule.thread_max === 0 || variant.first_comment !== null ? (
        <Words
          label="First comment (optional)"
          text={variant.first_comment ?? ""}
          rule={{ ...rule.comment, min: 0 }}
          onChange={(text) => change({ first_comment: text || null })}
        />
      ) : null}
    </div>
  );
}

const UNITS = {
  characters: "characters",
  escaped: "characters as LinkedIn counts them: # ( ) [ ] @ * _ and some more count double",
  weighted: "as X counts: an emoji is 2, a link is 23",
};

function Words({
  label,
  text,
  rule,
  onChange,
}: {
  label: string;
  text: string;
  rule: TextRule;
  onChange: (text: string) => void;
}) {
  const length = textLength(text, rule.unit);
  const faults = checkText("text", text, rule).map(inPlainWords);
  return (
    <Field
      className="w-full"
      label={label}
      error={faults.join(" ") || null}
      hint={
        <span>
          {length.toLocaleString("en")} of {rule.max.toLocaleString("en")} {UNITS[rule.unit]}
        </span>
      }
    >
      <Textarea value={text} onChange={(event) => onChange(event.target.value)} rows={5} />
    </Field>
  );
}
