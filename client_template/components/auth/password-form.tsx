"use client";

import { useRouter } from "next/navigation";
import { useState, type FormEvent } from "react";

import { Problem } from "@/components/auth/login-form";
import { PasswordInput } from "@/components/auth/password-input";
import { Button } from "@/components/ui/button";
import { Field } from "@/components/ui/field";
import { authProblem } from "@/lib/auth-problems";
import { browserClient } from "@/lib/supabase/client";

/** Length is what makes a password hard to guess; longer than 72 bytes, Auth's hash ignores the rest. */
export const PASSWORD_CHARACTERS = { least: 10, most: 72 };

export function PasswordForm({ email }: { email: string }) {
  const router = useRouter();
  const [password, setPassword] = useState("");
  const [problem, setProblem] = useState<string | null>(null);
  const [isTooShort, setTooShort] = useState(false);
  const [isBusy, setBusy] = useState(false);

  async function submit(event: FormEvent) {
    event.preventDefault();
    setProblem(null);
    const tooShort = password.length < PASSWORD_CHARACTERS.least;
    setTooShort(tooShort);
    if (tooShort) return;
    setBusy(true);
    const { error } = await browserClient().auth.updateUser({ password });
    if (error) {
      setProblem(authProblem(error));
      setBusy(false);
      return;
    }
    router.replace("/dashboard");
    router.refresh();
  }

  return (
    <form onSubmit={submit} className="flex flex-col gap-5" noValidate>
      <Problem text={problem} />
      {/* For password stores: they keep the password with this name. */}
      <input type="email" name="email" autoComplete="username" value={email} readOnly hidden />
      <Field
        label="New password"
        hint={`At least ${PASSWORD_CHARACTERS.least} characters. Four words that you will remember are a good one.`}
        error={isTooShort ? `It has ${password.length} characters; it needs ${PASSWORD_CHARACTERS.least}.` : null}
      >
        <PasswordInput
          name="password"
          autoComplete="new-password"
          required
          maxLength={PASSWORD_CHARACTERS.most}
          value={password}
          onChange={(event) => {
            setPassword(event.target.value);
            setTooShort(false);
          }}
        />
      </Field>
      <Button type="submit" size="lg" loading={isBusy}>
        Save and go on
      </Button>
    </form>
  );
}
