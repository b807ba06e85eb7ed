/** From the request to the post that is sent for approval, with everything that can go wrong in between. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { ContentGenerator } from "@/components/dashboard/content-generator";
import type { ContentRequest, Post } from "@/lib/posts/data";
import type { Role } from "@/lib/roles";
import { aPost, calls, changes, HASH, network, open, type Call } from "./posts-stage";

const ID = "33333333-3333-4333-8333-333333333333";
const UUID = /^[0-9a-f-]{36}$/;
const ACCOUNTS = [
  { platform: "facebook", name: "Kloof Coffee", isConnected: true },
  { platform: "x", name: "@kloof", isConnected: true },
  { platform: "linkedin", name: "Kloof", isConnected: false },
] as const;
const RECEIVED: ContentRequest = {
  id: ID,
  status: "received",
  brief: "Mince pies are back.",
  platform_ids: ["facebook", "x"],
  faults: [],
  review_reason: null,
  received_at: "2026-11-23T08:00:00+00:00",
};

/** What the database holds, and what the app's own routes answer. */
type World = { request: ContentRequest | null; post: Post | null; ordered: () => { status?: number; body: unknown } };

function world(part: Partial<World> = {}): World {
  const now: World = {
    request: null,
    post: null,
    ordered: () => ({ status: 202, body: { id: ID, status: "accepted" } }),
    ...part,
  };
  network(({ method, path, query, body }: Call) => {
    if (path === "/api/generate-content") return now.ordered();
    if (path === "/rest/v1/content_requests") return { body: query.has("id") && now.request ? [now.request] : [] };
    if (path === "/rest/v1/rpc/submit_post") return { body: HASH };
    if (path !== "/rest/v1/social_posts") return undefined;
    if (method === "GET") return { body: now.post ? [now.post] : [] };
    const isSeen = query.get("content_hash") === `eq.${now.post?.content_hash}`;
    if (isSeen && now.post) now.post = { ...now.post, ...(body as Partial<Post>), content_hash: "d".repeat(64) };
    return { body: isSeen ? [now.post] : [] };
  });
  return now;
}

function generator(props: { role?: Role; requestId?: string; postId?: string } = {}) {
  const { role = "editor", ...rest } = props;
  return open(
    <ContentGenerator person={{ id: "me", role }} accounts={[...ACCOUNTS]} templates={["Announcement"]} {...rest} />,
  );
}

const brief = () => screen.getByRole("textbox", { name: "What is the post about?" });
const send = () => screen.getByRole("button", { name: "Write the post" });
const words = () => screen.getByRole("textbox", { name: "Post on Facebook" });

test("a request carries brief, networks, template, files and time, and its progress shows", async () => {
  const now = world();
  const { user } = generator();

  await user.type(brief(), "Mince pies are back.");
  await user.click(screen.getByRole("checkbox", { name: /Facebook/ }));
  await user.selectOptions(screen.getByRole("combobox", { name: "Template (optional)" }), "Announcement");
  await user.click(screen.getByRole("button", { name: "Add a file" }));
  await user.type(screen.getByRole("textbox", { name: "File 1: path" }), "2026/pie.jpg");
  await user.type(screen.getByRole("textbox", { name: "Description" }), "Six pies");
  await user.click(screen.getByRole("radio", { name: /As soon as it is approved/ }));
  await user.click(send());

  expect(await screen.findByText("Request accepted")).toBeVisible();
  expect(changes()).toHaveLength(1);
  expect(changes()[0]?.body).toEqual({
    delivery_id: expect.stringMatching(UUID) as unknown,
    brief: "Mince pies are back.",
    platforms: ["facebook"],
    template: "Announcement",
    media: [{ path: "2026/pie.jpg", alt: "Six pies" }],
    as_soon_as_approved: true,
  });
  expect(window.location.search).toBe(`?request=${ID}`);

  const step = (name: string) => screen.getByText(name).closest("li");
  await waitFor(() => expect(step("Accounts, files and plan checked")).toHaveTextContent("under way"));
  now.request = RECEIVED;
  await waitFor(() => expect(step("Accounts, files and plan checked")).toHaveTextContent("done"), { timeout: 4_000 });
  expect(step("Words written and held against the rules")).toHaveTextContent("under way");
  now.request = { ...RECEIVED, status: "generated" };
  now.post = aPost();
  expect(await screen.findByRole("article", { name: "Mince pies" }, { timeout: 4_000 })).toBeVisible();
  expect(sessionStorage.length).toBe(0);
}, 15_000);

test("what is wrong stands beside its field, and nothing is sent", async () => {
  world();
  const { user } = generator();

  await user.type(brief(), "ab");
  await user.click(screen.getByRole("button", { name: "Add a file" }));
  await user.type(screen.getByRole("textbox", { name: "File 1: path" }), "https://kloof.example/pie.jpg");
  await user.click(screen.getByRole("radio", { name: /At a time of my choice/ }));
  await user.click(send());

  expect(brief()).toHaveAccessibleDescription(/Write at least 3 characters\./);
  expect(screen.getByRole("textbox", { name: "File 1: path" })).toHaveAccessibleDescription(
    /addresses are not fetched/,
  );
  expect(screen.getByLabelText("Day and time")).toHaveAccessibleDescription(
    /This time is not a time; choose a day and an hour\./,
  );
  await waitFor(() => expect(brief()).toHaveFocus());
  expect(changes()).toEqual([]);
});

test("a lost answer loses no text, and the same request goes again under the same delivery id", async () => {
  let isAway = true;
  world({ ordered: () => (isAway ? { status: 0, body: null } : { status: 202, body: { id: ID } }) });
  const { user, unmount } = generator();
  await user.type(brief(), "Mince pies are back.");

  await user.click(send());
  expect(await screen.findByText(/No answer came/)).toBeVisible();
  unmount();
  generator();
  expect(brief()).toHaveValue("Mince pies are back.");
  isAway = false;
  await user.click(send());
  await screen.findByText("Request accepted");

  const [first, second] = changes().map((call) => call.body as { delivery_id: string });
  expect(second?.delivery_id).toBe(first?.delivery_id);
});

test("a request that is changed after a refusal is another delivery", async () => {
  world({
    ordered: () => ({
      status: 422,
      body: {
        error: { code: "invalid", message: "Correct the named fields.", fields: { brief: "must not name prices" } },
      },
    }),
  });
  const { user } = generator();
  await user.type(brief(), "Mince pies are back.");

  await user.click(send());
  await waitFor(() => expect(brief()).toHaveAccessibleDescription(/must not name prices/));
  await user.type(brief(), " Come in!");
  expect(brief()).not.toHaveAccessibleDescription(/must not name prices/);
  await user.click(send());

  await waitFor(() => expect(changes()).toHaveLength(2));
  const [first, second] = changes().map((call) => call.body as { delivery_id: string });
  expect(second?.delivery_id).not.toBe(first?.delivery_id);
});

test("a refused request says why and can be changed and sent again", async () => {
  const detail = "linkedin: the account Kloof needs to be connected again";
  world({ request: { ...RECEIVED, status: "refused", faults: [{ field: "platforms", detail }] } });
  const { user } = generator({ requestId: ID });

  expect(await screen.findByRole("alert")).toHaveTextContent(detail);
  const looks = calls.length;
  await user.click(screen.getByRole("button", { name: "Change the request and send it again" }));

  expect(brief()).toHaveValue("Mince pies are back.");
  expect(calls.slice(looks).filter((call) => call.query.get("id"))).toEqual([]);
});

test("the length on X is counted as the server counts it, and too much keeps a post from its reviewers", async () => {
  world({ post: aPost({ status: "draft" }) });
  const { user } = generator({ postId: aPost().id });
  await user.click(await screen.findByRole("tab", { name: /^X/ }));

  const box = screen.getByRole("textbox", { name: "Post on X" });
  await user.clear(box);
  await user.click(box);
  await user.paste("👍🏽 kloof.co.za");
  expect(box).toHaveAccessibleDescription(/^26 of 280/);
  expect(screen.getByRole("button", { name: "Save and send for approval" })).toBeEnabled();

  await user.paste("の".repeat(128));
  expect(box).toHaveAccessibleDescription(/282 of 280.*2 over the limit of 280\./);
  expect(screen.getByRole("button", { name: "Save and send for approval" })).toBeDisabled();
  expect(changes()).toEqual([]);
});

test("edited words are saved against the hash that was seen, then sent for approval", async () => {
  world({ post: aPost({ status: "changes_requested" }) });
  const { user } = generator({ postId: aPost().id });

  await user.type(await screen.findByRole("textbox", { name: "Post on Facebook" }), " R65.");
  expect(within(screen.getByRole("figure")).getByText("Mince pies are back. R65.")).toBeVisible();
  await user.click(screen.getByRole("button", { name: "Save and send for approval" }));

  expect(await screen.findByText(/Sent for approval/)).toBeVisible();
  const [saved, submitted] = changes();
  expect(saved).toMatchObject({ method: "PATCH", path: "/rest/v1/social_posts" });
  expect(saved?.query.get("content_hash")).toBe(`eq.${HASH}`);
  expect(saved?.body).toEqual({
    content: "Mince pies are back. R65.",
    variants: { ...aPost().variants, facebook: { text: "Mince pies are back. R65.", thread: [], first_comment: null } },
    platform_ids: ["facebook", "x"],
  });
  expect(submitted).toMatchObject({ path: "/rest/v1/rpc/submit_post", body: { post_id: aPost().id } });
  expect(changes()).toHaveLength(2);
});

test("words that somebody else saved meanwhile are not overwritten, and one's own are not lost", async () => {
  const now = world({ post: aPost({ status: "draft" }) });
  const { user } = generator({ postId: aPost().id });
  await user.type(await screen.findByRole("textbox", { name: "Post on Facebook" }), " Mine.");

  const theirs = { text: "Theirs.", thread: [], first_comment: null };
  now.post = aPost({
    status: "draft",
    content_hash: "e".repeat(64),
    variants: { ...aPost().variants, facebook: theirs },
  });
  await user.click(screen.getByRole("button", { name: "Save" }));

  expect(await screen.findByText(/Somebody else saved this post/)).toBeVisible();
  expect(words()).toHaveValue("Mince pies are back. Mine.");
  expect(screen.getByRole("button", { name: "Save" })).toBeDisabled();

  await user.click(screen.getByRole("button", { name: "Go on with mine" }));
  await user.click(screen.getByRole("button", { name: "Save" }));
  await waitFor(() => expect(changes()).toHaveLength(2));
  expect(changes()[1]?.query.get("content_hash")).toBe(`eq.${"e".repeat(64)}`);
  await waitFor(() => expect(sessionStorage.length).toBe(0));
});

test("a network can be left out, but not the last one", async () => {
  world({ post: aPost({ status: "draft" }) });
  const { user } = generator({ postId: aPost().id });

  await user.click(await screen.findByRole("checkbox", { name: "Publish on Facebook" }));
  await user.click(screen.getByRole("tab", { name: /^X/ }));
  expect(screen.getByRole("checkbox", { name: /Publish on X/ })).toBeDisabled();
  await user.click(screen.getByRole("button", { name: "Save" }));

  await waitFor(() =>
    expect(changes()[0]?.body).toMatchObject({ platform_ids: ["x"], content: "Pies! kloof.co.za #pies" }),
  );
});

test.each<Role>(["approver", "viewer"])("an %s may not ask for posts, and may read one", async (role) => {
  world({ post: aPost({ status: "draft" }) });
  const form = generator({ role });
  expect(screen.getByText(/does not ask for them/)).toBeVisible();
  form.unmount();

  generator({ role, postId: aPost().id });
  expect(await screen.findByRole("figure", { name: "Preview for Facebook" })).toBeVisible();
  expect(screen.queryByRole("textbox")).toBeNull();
  expect(screen.queryByRole("button", { name: "Save" })).toBeNull();
});

test("what the checks found and what a reviewer said stand above the words", async () => {
  const reason = "“cheap”: is never said";
  world({
    post: aPost({
      status: "changes_requested",
      findings: [{ rule: "banned_word", severity: "block", platform: "facebook", reason }],
      decisions: [
        {
          decision: "changes_requested",
          comment: "Say where.",
          reviewer: "ann@kloof.example",
          decided_at: "2026-11-23T08:00:00Z",
        },
      ],
    }),
  });
  generator({ postId: aPost().id });

  expect(await screen.findByRole("region", { name: "What the checks found" })).toHaveTextContent(
    `Blocks · Facebook: ${reason}`,
  );
  expect(screen.getByText("Say where.")).toBeVisible();
});
