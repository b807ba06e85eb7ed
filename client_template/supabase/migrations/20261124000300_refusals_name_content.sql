-- Whoever sends a post back or rejects it names the content that they saw, as whoever approves it does: an edit in
-- between is not refused unread.

drop function request_post_changes(uuid, text);
drop function reject_post(uuid, text);
drop function app.send_back(uuid, text, text);

create function app.send_back(post_id uuid, content_hash text, decision text, reason text) returns void
language plpgsql security definer set search_path = '' as $$
#variable_conflict use_column
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers decide on posts' using errcode = 'insufficient_privilege';
    end if;
    if coalesce(length(trim(send_back.reason)), 0) not between 1 and 4000 then
        raise exception 'say why, in at most 4000 characters' using errcode = 'invalid_parameter_value';
    end if;
    update public.social_posts p
    set status = send_back.decision, approved_hash = null, approved_by = null, approved_at = null,
        -- What is on the queue is of the old revision from here on, and no call begins for it any more.
        revision = p.revision + case when p.status = 'scheduled' then 1 else 0 end
    where p.id = send_back.post_id and p.content_hash = send_back.content_hash
      and p.status in ('in_review', 'approved', 'scheduled');
    if not found then
        raise exception 'the post is not in review, or was changed' using errcode = 'invalid_parameter_value';
    end if;
    perform app.record_decision(send_back.post_id, send_back.content_hash, send_back.decision, trim(send_back.reason));
end
$$;
comment on function app.send_back(uuid, text, text, text) is
    'Takes a post with exactly this content out of review, or its approval back, with a reason.';

create function request_post_changes(post_id uuid, content_hash text, reason text) returns void
language sql security definer set search_path = '' as $$
    select app.send_back(
        request_post_changes.post_id, request_post_changes.content_hash, 'changes_requested', request_post_changes.reason
    )
$$;
comment on function request_post_changes(uuid, text, text) is 'Sends a post back to its editor with a reason.';

create function reject_post(post_id uuid, content_hash text, reason text) returns void
language sql security definer set search_path = '' as $$
    select app.send_back(reject_post.post_id, reject_post.content_hash, 'rejected', reject_post.reason)
$$;
comment on function reject_post(uuid, text, text) is 'Ends a post for good, with a reason.';

revoke all on function request_post_changes(uuid, text, text), reject_post(uuid, text, text) from public, anon;
grant execute on function request_post_changes(uuid, text, text), reject_post(uuid, text, text) to authenticated;
