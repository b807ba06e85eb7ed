-- What the dashboard does with posts beyond writing them. Functions, so that each change is checked and audited.

create function submit_post(post_id uuid) returns text
language plpgsql security definer set search_path = '' as $$
declare
    hash text;
begin
    if not app.has_role('owner', 'admin', 'editor') then
        raise exception 'only editors submit posts' using errcode = 'insufficient_privilege';
    end if;
    update public.social_posts p set status = 'in_review'
    where p.id = submit_post.post_id and p.status in ('draft', 'changes_requested')
    returning p.content_hash into hash;
    if hash is null then
        raise exception 'the post is not a draft' using errcode = 'invalid_parameter_value';
    end if;
    perform public.append_audit('user:' || app.user_id(), 'post.submitted', 'social_post:' || submit_post.post_id,
                                jsonb_build_object('content_hash', hash));
    return hash;
end
$$;
comment on function submit_post(uuid) is 'Puts a draft up for approval and returns the hash that an approval must name.';

create function approve_post(post_id uuid, content_hash text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers approve posts' using errcode = 'insufficient_privilege';
    end if;
    update public.social_posts p
    set status = 'approved', approved_hash = p.content_hash, approved_by = app.user_id(), approved_at = now()
    where p.id = approve_post.post_id and p.status = 'in_review' and p.content_hash = approve_post.content_hash;
    if not found then
        raise exception 'the post changed since it was shown, or is not in review'
            using errcode = 'invalid_parameter_value';
    end if;
    perform public.append_audit('user:' || app.user_id(), 'post.approved', 'social_post:' || approve_post.post_id,
                                jsonb_build_object('content_hash', approve_post.content_hash));
end
$$;
comment on function approve_post(uuid, text) is 'Approves exactly the content with this hash: what the approver saw.';

create function request_post_changes(post_id uuid, reason text) returns void
language plpgsql security definer set search_path = '' as $$
begin
    if not (app.has_role('owner', 'approver') or app.may('posts.approve')) then
        raise exception 'only approvers ask for changes' using errcode = 'insufficient_privilege';
    end if;
    update public.social_posts p
    set status = 'changes_requested', approved_hash = null, approved_by = null, approved_at = null
    where p.id = request_post_changes.post_id and p.status in ('in_review', 'approved');
    if not found then
        raise exception 'the post is not in review' using errcode = 'invalid_parameter_value';
    end if;
    perform public.append_audit('user:' || app.user_id(), 'post.changes_requested',
                                'social_post:' || request_post_changes.post_id,
                                jsonb_build_object('reason', request_post_changes.reason));
end
$$;
comment on function request_post_changes(uuid, text) is 'Sends a post back to its editor with a reason.';

revoke all on function submit_post(uuid), approve_post(uuid, text), request_post_changes(uuid, text)
    from public, anon;
grant execute on function submit_post(uuid), approve_post(uuid, text), request_post_changes(uuid, text)
    to authenticated;
