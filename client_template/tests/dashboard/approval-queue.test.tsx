/** Deciding about posts: what was seen is what is decided about, and a refusal brings the post back. */
import { screen, waitFor, within } from "@testing-library/react";
import { expect, test } from "vitest";

import { ApprovalQueue } from "@/components/dashboard/approval-queue";
import type { Post } from "@/lib/posts/data";
import { aPost, calls, changes, HASH, network, open } from "./posts-stage";

const SECOND = aPost({
  id: "22222222-2222-4222-8222-222222222222",
  title: "Opening hours",
  content_hash: "b".repeat(64),
});
const EDITED = aPost({
  content_hash: "c".repeat(64),
  variants: { ...aPost().variants, facebook: { text: "Mince pies are back: R65.", thread: [], first_comment: null } },
});

/** The queue as the database holds it; decisions are answered by `decided`. */
function queueOf(rows: () => Post[], decided: () => { status?: number; body: unknown } = () => ({ body: {} })) {
  network(({ path }) =>
    path === "/api/approve-post" ? decided() : path === "/rest/v1/social_posts" ? { body: rows() } : undefined,
  );
}

const queue = (mayDecide = true) => open(<ApprovalQueue personId="me" mayDecide={mayDecide} />);

test("an approval names the post and the hash of what was shown, and the next post follows", async () => {
  let rows = [aPost(), SECOND];
  queueOf(
    () => rows,
    () => ({ body: (rows = [SECOND]) }),
  );
  const { user } = queue();

  await user.click(await screen.findByRole("button", { name: "Approve" }));

  expect(await screen.findByRole("heading", { name: "Opening hours" })).toBeVisible();
  expect(screen.queryByRole("heading", { name: "Mince pies" })).toBeNull();
  expect(changes()).toEqual([
    expect.objectContaining({
      path: "/api/approve-post",
      body: { post_id: aPost().id, content_hash: HASH, decision: "approve", comment: "" },
    }),
  ]);
});

test("only posts in review are asked for, the soonest first", async () => {
  queueOf(() => []);
  queue();

  expect(await screen.findByText("Nothing waits for approval")).toBeVisible();
  expect(calls[0]?.query.get("status")).toBe("eq.in_review");
  expect(calls[0]?.query.get("order")).toBe("scheduled_for.asc.nullslast,id.asc");
});

test.each([
  ["Ask for a change", "request_changes"],
  ["Reject", "reject"],
])("%s needs a reason, which goes along", async (button, decision) => {
  queueOf(() => [aPost()]);
  const { user } = queue();

  await user.click(await screen.findByRole("button", { name: button }));

  const reason = screen.getByRole("textbox", { name: "Reason" });
  expect(reason).toHaveFocus();
  expect(reason).toHaveAccessibleDescription(/Say why, so that its editors can mend it\./);
  expect(changes()).toEqual([]);

  await user.type(reason, " The price is wrong. ");
  await user.click(screen.getByRole("button", { name: button }));

  await waitFor(() => expect(changes()).toHaveLength(1));
  expect(changes()[0]?.body).toEqual({
    post_id: aPost().id,
    content_hash: HASH,
    decision,
    comment: "The price is wrong.",
  });
});

test("an edit in between is shown, and nothing can be decided before it was read", async () => {
  let rows = [aPost()];
  queueOf(() => rows);
  const { user, queries } = queue();
  await screen.findByRole("button", { name: "Approve" });

  rows = [EDITED];
  await queries.invalidateQueries();

  const notice = await screen.findByRole("alert");
  expect(within(notice).getByText(/edited while you had it open/)).toBeVisible();
  expect(within(notice).getByText("Mince pies are back.").closest("del")).not.toBeNull();
  expect(within(notice).getByText("Mince pies are back: R65.").closest("ins")).not.toBeNull();
  expect(screen.getByRole("button", { name: "Approve" })).toBeDisabled();
  await user.keyboard("a");
  expect(changes()).toEqual([]);

  await user.click(screen.getByRole("button", { name: "Show me the new version" }));
  await user.click(screen.getByRole("button", { name: "Approve" }));

  await waitFor(() => expect(changes()).toHaveLength(1));
  expect(changes()[0]?.body).toMatchObject({ content_hash: EDITED.content_hash, decision: "approve" });
});

test("an approval that comes too late is taken back, tells why and asks again", async () => {
  let rows = [aPost()];
  queueOf(
    () => rows,
    () => {
      rows = [EDITED];
      return {
        status: 409,
        body: { error: { code: "changed", message: "The post was changed since you opened it." } },
      };
    },
  );
  const { user } = queue();

  await user.click(await screen.findByRole("button", { name: "Approve" }));

  expect(await screen.findByText("The decision was not taken")).toBeVisible();
  expect(screen.getByText("The post was changed since you opened it.")).toBeVisible();
  expect(await screen.findByText(/edited while you had it open/)).toBeVisible();
  expect(screen.getByRole("button", { name: "Approve" })).toBeDisabled();
  expect(changes()).toHaveLength(1);
});

test("without an answer the post and the typed reason are still there", async () => {
  queueOf(
    () => [aPost()],
    () => ({ status: 0, body: null }),
  );
  const { user } = queue();

  await user.type(await screen.findByRole("textbox", { name: "Reason" }), "Wrong price");
  await user.click(screen.getByRole("button", { name: "Reject" }));

  expect(await screen.findByText(/No answer came/)).toBeVisible();
  expect(await screen.findByRole("textbox", { name: "Reason" })).toHaveValue("Wrong price");
});

test("letters decide and go on, but not while somebody types, nor once they are switched off", async () => {
  queueOf(() => [aPost(), SECOND]);
  const { user } = queue();
  await screen.findByRole("heading", { name: "Mince pies" });

  await user.keyboard("j");
  expect(await screen.findByRole("heading", { name: "Opening hours" })).toBeVisible();
  await user.keyboard("k");
  expect(await screen.findByRole("heading", { name: "Mince pies" })).toBeVisible();

  await user.type(screen.getByRole("textbox", { name: "Reason" }), "a");
  expect(changes()).toEqual([]);

  await user.click(screen.getByRole("switch", { name: "Keyboard shortcuts" }));
  await user.keyboard("a");
  expect(changes()).toEqual([]);

  await user.click(screen.getByRole("switch", { name: "Keyboard shortcuts" }));
  await user.click(screen.getByRole("heading", { name: "Mince pies" }));
  await user.keyboard("a");
  await waitFor(() => expect(changes()[0]?.body).toMatchObject({ decision: "approve", post_id: aPost().id }));
});

test("whoever may not decide reads and gets no buttons", async () => {
  queueOf(() => [aPost()]);
  const { user } = queue(false);

  expect(await screen.findByText(/Your role may read what waits here/)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Approve" })).toBeNull();
  await user.keyboard("a");
  expect(changes()).toEqual([]);
});

test("a queue that cannot be read is no empty queue", async () => {
  network(() => ({ status: 500, body: { message: "away" } }));
  queue();

  const alert = await screen.findByRole("alert");
  expect(alert).toHaveTextContent("The posts in review could not be read");
  expect(screen.queryByText("Nothing waits for approval")).toBeNull();
  expect(within(alert).getByRole("button", { name: "Try again" })).toBeVisible();
});

test("hostile words stay words", async () => {
  const hostile = '<img src=x onerror="alert(1)"><script>alert(2)</script>';
  queueOf(() => [
    aPost({
      title: hostile,
      variants: { facebook: { text: hostile, thread: [], first_comment: hostile } },
      platform_ids: ["facebook"],
    }),
  ]);
  const { container } = queue();

  expect(await screen.findByRole("heading", { name: hostile })).toBeVisible();
  expect(container.querySelector("img,script")).toBeNull();
});
