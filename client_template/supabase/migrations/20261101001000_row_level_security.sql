-- Who sees and writes what. The publishable key is in every visitor's browser, so the rows guard themselves:
-- anon gets nothing, a signed-in person gets what the role allows, service_role (our workers) gets everything.

revoke all on all tables in schema public from public, anon, authenticated;
revoke all on all sequences in schema public from public, anon, authenticated;
revoke all on all functions in schema public from public, anon, authenticated;
grant usage on schema public, app to authenticated, service_role;
grant all on all tables in schema public to service_role;

create function app.protect(target regclass, readers text[], writers text[] default '{}', columns text default null)
returns void
language plpgsql set search_path = '' as $$
declare
    rule constant text := '(select app.has_role(variadic %L::text[]))';
begin
    execute format('alter table %s enable row level security', target);
    execute format('revoke all on %s from public, anon, authenticated', target);
    execute format('grant all on %s to service_role', target);
    execute format('create policy service_role_all on %s for all to service_role using (true) with check (true)', target);
    if cardinality(readers) > 0 then
        execute format('grant select%s on %s to authenticated', coalesce('(' || columns || ')', ''), target);
        execute format('create policy read on %s for select to authenticated using (' || rule || ')', target, readers);
    end if;
    if cardinality(writers) > 0 then
        execute format('grant insert, update, delete on %s to authenticated', target);
        execute format('create policy add on %s for insert to authenticated with check (' || rule || ')', target, writers);
        execute format('create policy change on %1$s for update to authenticated using (' || replace(rule, '%L', '%2$L')
                       || ') with check (' || replace(rule, '%L', '%2$L') || ')', target, writers);
        execute format('create policy remove on %s for delete to authenticated using (' || rule || ')', target, writers);
    end if;
end
$$;
comment on function app.protect(regclass, text[], text[], text) is
    'Row level security for one table: which roles read it (all columns, or those named) and which write it. '
    'Every migration that makes a table calls it. The policies ask once per statement, not once per row.';

-- Read by everybody in the organization.
select app.protect(t, '{owner,admin,editor,approver,viewer}') from unnest(array[
    'organizations', 'users', 'leads', 'company_profiles', 'evidence', 'lead_analyses', 'proposals', 'consents',
    'social_platforms', 'publish_attempts', 'platform_metrics', 'analytics_snapshots',
    'usage_counters', 'client_usage_metrics', 'onboarding_steps', 'onboarding_checklist', 'content_queue'
]::regclass[]) as t;

-- Read by everybody, written by those who do the work.
select app.protect(t, '{owner,admin,editor,approver,viewer}', '{owner,admin,editor}') from unnest(array[
    'contacts', 'deals', 'activities', 'client_custom_fields', 'content_templates'
]::regclass[]) as t;
-- A contact takes its leads, consents, analyses and accepted proposals with it, which nobody may delete by hand. The
-- right to be forgotten is our workers' task.
drop policy remove on contacts;
revoke delete on contacts from authenticated;

-- For owners and admins.
select app.protect(t, '{owner,admin}') from unnest(array[
    'lead_events', 'ai_generation_log', 'notification_deliveries', 'usage_reservations', 'audit_log'
]::regclass[]) as t;
select app.protect('user_permissions', '{owner,admin}', '{owner,admin}');

-- For nobody; and the log takes entries from append_audit() alone, which runs as the owner.
select app.protect('audit_head', '{}');
revoke all on audit_log, audit_head from service_role;
grant select on audit_log, audit_head to service_role;

-- Rows of one's own, or with a right of one's own.
select app.protect(t, '{}') from unnest(array['notifications', 'subscription_history', 'invoices']::regclass[]) as t;
grant select on notifications, subscription_history, invoices to authenticated;
create policy read_own on notifications for select to authenticated using (user_id = (select app.user_id()));
grant update (read_at) on notifications to authenticated;
create policy mark_own on notifications for update to authenticated
    using (user_id = (select app.user_id())) with check (user_id = (select app.user_id()));
create policy read_billing on subscription_history for select to authenticated
    using ((select app.may('billing.read')));
create policy read_billing on invoices for select to authenticated using ((select app.may('billing.read')));
create policy read_own on user_permissions for select to authenticated using (user_id = (select app.user_id()));

-- Sealed columns are not in the list, so no select of them is possible.
select app.protect('social_accounts', '{owner,admin,editor,approver,viewer}', '{}',
    'id, platform_id, organization_id, external_id, handle, display_name, scopes, expires_at, status, status_reason, '
    'paused_until, connected_by, created_at, updated_at');
select app.protect('n8n_webhooks', '{owner,admin,editor}', '{}',
    'id, organization_id, webhook_type, webhook_url, workflow_id, is_active, last_called_at, created_at, updated_at');

-- Settings, the checklist and leads: some columns only.
grant update (name, timezone, locale, requires_approval, late_posts, late_after_minutes) on organizations
    to authenticated;
create policy change on organizations for update to authenticated
    using ((select app.has_role('owner', 'admin'))) with check ((select app.has_role('owner', 'admin')));
grant update (completed) on onboarding_checklist to authenticated;
create policy change on onboarding_checklist for update to authenticated
    using ((select app.has_role('owner', 'admin', 'editor')))
    with check ((select app.has_role('owner', 'admin', 'editor')));
grant update (status, assigned_to, company_name, website, qualification_data, review_reason) on leads to authenticated;
create policy change on leads for update to authenticated
    using ((select app.has_role('owner', 'admin', 'editor')))
    with check ((select app.has_role('owner', 'admin', 'editor')));
-- A consent is a record: it is added to, never edited.
grant insert (contact_id, purpose, granted, wording, source) on consents to authenticated;
create policy add on consents for insert to authenticated
    with check ((select app.has_role('owner', 'admin', 'editor')));

-- People: admins manage everybody but owners and cannot make one; everybody keeps the own profile.
grant insert (email, full_name, phone_e164, role, notify_leads) on users to authenticated;
grant update (full_name, phone_e164, role, is_active, notify_leads) on users to authenticated;
create policy add on users for insert to authenticated
    with check ((select app.has_role('owner')) or ((select app.has_role('admin')) and role <> 'owner'));
create policy change on users for update to authenticated
    using ((select app.has_role('owner')) or ((select app.has_role('admin')) and role <> 'owner'))
    with check ((select app.has_role('owner')) or ((select app.has_role('admin')) and role <> 'owner'));
create policy change_own on users for update to authenticated
    using (id = (select app.user_id()))
    with check (auth_user_id = (select auth.uid()) and role = (select app."current_role"()));

-- Posts: editors write them, approval is a function, and the publish ledger is written by our workers alone.
select app.protect('social_posts', '{owner,admin,editor,approver,viewer}');
grant insert (title, content, variants, media, platform_ids, scheduled_for, scheduled_local, template_id)
    on social_posts to authenticated;
grant update (title, content, variants, media, platform_ids, scheduled_for, scheduled_local, template_id)
    on social_posts to authenticated;
grant delete on social_posts to authenticated;
create policy add on social_posts for insert to authenticated
    with check ((select app.has_role('owner', 'admin', 'editor')) and status = 'draft');
create policy change on social_posts for update to authenticated
    using ((select app.has_role('owner', 'admin', 'editor'))
           and status in ('draft', 'in_review', 'changes_requested', 'approved', 'scheduled'))
    with check ((select app.has_role('owner', 'admin', 'editor')));
create policy remove on social_posts for delete to authenticated
    using ((select app.has_role('owner', 'admin', 'editor')) and status in ('draft', 'changes_requested'));

grant execute on function app.organization_id(), app.user_id(), app."current_role"(), app.has_role(text[]),
    app.may(text, text) to authenticated, service_role;
grant execute on function append_audit(text, text, text, jsonb), verify_audit() to service_role;
grant execute on function app.keep_updated_at(regclass), app.protect(regclass, text[], text[], text) to service_role;
