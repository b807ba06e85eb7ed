import { Button, type ButtonProps } from "@/components/ui/button";

/** A form, so that it works also where a script failed: signing out must always be possible. */
export function SignOutButton({ label = "Sign out", ...rest }: ButtonProps & { label?: string }) {
  return (
    <form action="/auth/logout" method="post" className="inline">
      <Button type="submit" {...rest}>
        {label}
      </Button>
    </form>
  );
}
