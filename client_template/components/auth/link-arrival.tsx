"use client";

import { useRouter } from "next/navigation";
import { useEffect } from "react";

import { readArrival } from "@/lib/arrivals";
import { lazyClient } from "@/lib/supabase/lazy";

/** Takes the session out of an invitation's or a link's address, on whichever page it arrives. */
export function LinkArrival() {
  const router = useRouter();
  useEffect(() => {
    const arrival = readArrival(window.location.hash);
    if (!arrival) return;
    if (arrival.kind === "problem") {
      router.replace(`/login?problem=${encodeURIComponent(arrival.code)}`);
      return;
    }
    // At once: tokens are to stay neither in the address nor in the history.
    window.history.replaceState(null, "", window.location.pathname + window.location.search);
    const { accessToken, refreshToken, choosesPassword } = arrival;
    void lazyClient()
      .then(({ auth }) => auth.setSession({ access_token: accessToken, refresh_token: refreshToken }))
      .then(({ error }) => {
        if (error) {
          router.replace(`/login?problem=${encodeURIComponent(error.code ?? "otp_expired")}`);
          return;
        }
        router.replace(choosesPassword ? "/register" : "/dashboard");
        router.refresh();
      });
  }, [router]);
  return null;
}
