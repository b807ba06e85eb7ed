-- What a new client's own database is given on its first day: entry points, the first person, the first call.

-- name: put_webhook!
insert into n8n_webhooks (webhook_type, webhook_url, workflow_id, token_sealed)
values (:webhook_type, :webhook_url, :workflow_id, :token_sealed)
on conflict (organization_id, webhook_type) do update
set webhook_url = excluded.webhook_url, workflow_id = excluded.workflow_id, token_sealed = excluded.token_sealed,
    is_active = true;

-- name: put_first_person!
-- Who is there already keeps name, role and what they chose; only the account that they sign in with is set.
with known as (
    update users
    set auth_user_id = :auth_user_id, full_name = coalesce(full_name, :full_name),
        phone_e164 = coalesce(phone_e164, :phone_e164)
    where lower(email) = lower(:email)
    returning id
)
insert into users (auth_user_id, email, full_name, phone_e164, role, notify_leads)
select :auth_user_id, :email, :full_name, :phone_e164, 'owner', true
where not exists (select from known)
on conflict do nothing;

-- name: retire_other_owners!
-- Nobody has been welcomed yet: another owner is an address that was wrong, and must be told nothing.
update users set is_active = false, notify_leads = false
where role = 'owner' and lower(email) <> lower(:email) and (is_active or notify_leads);

-- name: mails_of
-- The mails about one event, to these addresses or to all, what became of them, and when more can.
select recipient, status, last_error, message_id,
       greatest(lease_until, case when isfinite(not_before) then not_before end) as due_at
from notification_deliveries
where event_key = :event_key and channel = 'email'
  and (cast(:recipients as text[]) is null or recipient = any(cast(:recipients as text[])))
order by recipient;

-- name: put_agency_contact^
-- The agency among the client's contacts, under an id of ours unless its address is known already.
with new as (
    insert into contacts (id, name, company, email, email_normalized)
    values (:id, :name, :name, :email, lower(:email))
    on conflict do nothing
    returning id
)
select id from new union all select id from contacts where email_normalized = lower(:email) limit 1;

-- name: put_kickoff_activity!
insert into activities (id, type, contact_id, user_id, notes, due_at)
values (:id, 'call', :contact_id, (select u.id from users u where lower(u.email) = lower(:owner_email)), :notes,
        :due_at)
on conflict (id) do nothing;

-- name: checklist_titles
select title, description from onboarding_steps order by position;

-- name: tick_checklist!
-- Steps that this database itself shows to be done. Signing in, the profile and the call are for people to tick.
update onboarding_checklist set completed = true
where not completed and (
    (step = 'invite_team' and (select count(*) from users where is_active) > 1)
    or (step = 'connect_accounts' and exists (select from social_accounts where status = 'connected'))
    or (step = 'first_post' and exists (
        select from social_posts where status in ('approved', 'scheduled', 'published', 'partly_published')
    ))
    or (step = 'lead_form' and exists (select from leads))
);
