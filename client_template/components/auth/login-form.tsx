"use client";

import { CircleAlert, MailCheck } from "lucide-react";
import { useRouter } from "next/navigation";
import { useState, type FormEvent } from "react";

import { PasswordInput } from "@/components/auth/password-input";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { Input } from "@/components/ui/input";
import { authProblem } from "@/lib/auth-problems";
import { browserClient } from "@/lib/supabase/client";

type Way = "password" | "link";

/** Both ways in. The address that somebody typed stays when they change the way or something fails. */
export function LoginForm({ next, problem: arrivedWith }: { next: string; problem: string | null }) {
  const router = useRouter();
  const [way, setWay] = useState<Way>("password");
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState(arrivedWith);
  const [isBusy, setBusy] = useState(false);
  const [sentTo, setSentTo] = useState<string | null>(null);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    const { auth } = browserClient();
    const address = email.trim();
    if (way === "password") {
      const { error } = await auth.signInWithPassword({ email: address, password });
      if (!error) {
        router.replace(next);
        router.refresh();
        return; // busy until the next page is there
      }
      setProblem(authProblem(error));
    } else {
      const back = `${window.location.origin}/auth/callback?next=${encodeURIComponent(next)}`;
      const { error } = await auth.signInWithOtp({
        email: address,
        options: { shouldCreateUser: false, emailRedirectTo: back },
      });
      // Whether an address is known here is not a stranger's to learn: it gets the same answer.
      if (!error || isStranger(error.code)) setSentTo(address);
      else setProblem(authProblem(error));
    }
    setBusy(false);
  }

  if (sentTo) {
    return <LinkSent email={sentTo} again={() => setSentTo(null)} />;
  }
  return (
    <form onSubmit={submit} className="flex flex-col gap-5">
      <Problem text={problem} />
      <Field label="E-mail address">
        <Input
          type="email"
          name="email"
          autoComplete="username"
          required
          value={email}
          onChange={(event) => setEmail(event.target.value)}
        />
      </Field>
      {way === "password" ? (
        <Field label="Password">
          <PasswordInput
            name="password"
            autoComplete="current-password"
            required
            value={password}
            onChange={(event) => setPassword(event.target.value)}
          />
        </Field>
      ) : null}
      <div className="flex flex-col gap-2">
        <Button type="submit" size="lg" loading={isBusy}>
          {way === "password" ? "Sign in" : "Send me a link"}
        </Button>
        <Button
          variant="ghost"
          onClick={() => {
            setWay(way === "password" ? "link" : "password");
            setProblem(null);
          }}
        >
          {way === "password" ? "Forgot it? Get a link by e-mail" : "Use a password instead"}
        </Button>
      </div>
    </form>
  );
}

function isStranger(code: string | undefined): boolean {
  return code === "otp_disabled" || code === "signup_disabled" || code === "user_not_found";
}

export function Problem({ text }: { text: string | null }) {
  return (
    <div role="alert" className={text ? undefined : "sr-only"}>
      {text ? (
        <p className="flex gap-2.5 rounded-lg border border-bad/30 bg-bad/5 p-3 text-sm leading-5 text-text">
          <CircleAlert className="size-5 shrink-0 text-bad" aria-hidden />
          {text}
        </p>
      ) : null}
    </div>
  );
}

function LinkSent({ email, again }: { email: string; again: () => void }) {
  return (
    <div role="status" className="flex flex-col gap-4 rounded-xl border border-line bg-surface p-5 shadow-xs">
      <span className="flex size-11 items-center justify-center rounded-full bg-brand-soft text-brand-text">
        <MailCheck className="size-5" aria-hidden />
      </span>
      <div className="flex flex-col gap-1">
        <p className="font-semibold">Look into your mailbox</p>
        <p className="text-sm leading-6 text-text-muted">
          If <strong className="font-medium break-words text-text">{email}</strong> belongs to somebody here, a link is on
          its way. Open it in this browser.
        </p>
      </div>
      <Button variant="secondary" onClick={again}>
        Use another address
      </Button>
    </div>
  );
}
