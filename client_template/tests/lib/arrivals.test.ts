/** Sessions and problems that Auth's links bring along behind the #. */
import { expect, it } from "vitest";

import { readArrival } from "@/lib/arrivals";
import { authProblem } from "@/lib/auth-problems";

it.each([
  ["invite", true],
  ["recovery", true],
  ["signup", true],
  ["magiclink", false],
])("takes the session of a link of type %s", (type, choosesPassword) => {
  expect(readArrival(`#access_token=a.b.c&expires_in=3600&refresh_token=r&token_type=bearer&type=${type}`)).toEqual({
    kind: "session",
    accessToken: "a.b.c",
    refreshToken: "r",
    choosesPassword,
  });
});

it("says which problem a used link has", () => {
  const fragment = "#error=access_denied&error_code=otp_expired&error_description=Email+link+is+invalid";

  expect(readArrival(fragment)).toEqual({ kind: "problem", code: "otp_expired" });
  expect(authProblem("otp_expired")).toContain("used already or is too old");
});

it.each(["", "#content", "#access_token=alone"])("finds nothing in %j", (fragment) => {
  expect(readArrival(fragment)).toBeNull();
});

it("tells a service that is away from a password that is wrong", () => {
  expect(authProblem({ name: "AuthRetryableFetchError", status: 0 })).toContain("cannot be reached");
  expect(authProblem({ code: "invalid_credentials", status: 400 })).toContain("do not belong together");
  expect(authProblem({ status: 429 })).toContain("too often");
  expect(authProblem({ code: "never_heard_of", status: 400 })).toContain("Try again");
});
