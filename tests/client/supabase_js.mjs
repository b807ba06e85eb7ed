// The client's app's own library against a sandbox project: `node supabase_js.mjs <argument as JSON>` prints what came
// of each step as JSON. It takes supabase-js from where the app does. Assertions: test_supabase_js.py.

import { createRequire } from "node:module";

const { template, sandbox, url, key, email, password } = JSON.parse(process.argv[2]);
const { createClient } = createRequire(template)("@supabase/supabase-js");

const memory = new Map();
const storage = {
  getItem: (name) => memory.get(name) ?? null,
  setItem: (name, value) => void memory.set(name, value),
  removeItem: (name) => void memory.delete(name),
};
class NoSocket {
  constructor() {
    throw new Error("nothing here subscribes");
  }
}
const client = createClient(url, key, {
  auth: { flowType: "pkce", storage, autoRefreshToken: false },
  realtime: { transport: NoSocket },
});
const said = {};

const nobody = await client.from("users").select("email");
said.nobody = [nobody.status, nobody.error?.code];
said.wrongPassword = (await client.auth.signInWithPassword({ email, password: "wrong" })).error?.code;

const first = await client.auth.signInWithPassword({ email, password });
said.signedIn = first.data.user?.email;
said.user = (await client.auth.getUser()).data.user?.email;
const claims = (await client.auth.getClaims()).data;
said.claims = [claims?.header.alg, claims?.claims.role];

const added = await client.from("contacts").insert({ name: "<img onerror=alert(1)>" }).select("id, name").single();
said.added = [added.status, added.data?.name];
const changed = await client.from("contacts").update({ name: "Thandi" }, { count: "exact" }).eq("id", added.data?.id);
said.changed = [changed.status, changed.count];
said.removed = (await client.from("contacts").delete().eq("id", added.data?.id)).error?.code;
said.role = (await client.rpc("join_organization")).data;

const refreshed = await client.auth.refreshSession();
said.refreshed = refreshed.data.session?.refresh_token !== first.data.session?.refresh_token;
said.afterRefresh = (await client.from("users").select("email", { count: "exact", head: true })).count;
said.signedOut = (await client.auth.signOut()).error;

// A magic link: the browser that asked for it gets a code, and only that browser can use it.
said.asked = (await client.auth.signInWithOtp({ email, options: { shouldCreateUser: false } })).error;
const mails = await (await fetch(`${sandbox}/_sandbox/public?kind=supabase_mail`)).json();
const opened = await fetch(mails.at(-1).link, { redirect: "manual" });
const code = new URL(opened.headers.get("location")).searchParams.get("code");
const stranger = createClient(url, key, { auth: { flowType: "pkce" }, realtime: { transport: NoSocket } });
said.strangersCode = (await stranger.auth.exchangeCodeForSession(code)).error?.code;
const back = await client.auth.exchangeCodeForSession(code);
said.byLink = back.data.user?.email ?? back.error?.code;

console.log(JSON.stringify(said));
