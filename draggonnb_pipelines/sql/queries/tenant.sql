-- What every tenant database holds about itself: the organization and its people.

-- name: put_organization!
insert into organizations (id, slug, name, timezone, locale)
values (:id, :slug, :name, :timezone, :locale)
on conflict (id) do update set name = excluded.name, timezone = excluded.timezone, locale = excluded.locale;

-- name: put_owner!
insert into users (organization_id, email, phone_e164, role, notify_leads)
values (:organization_id, :email, :phone_e164, 'owner', true)
on conflict do nothing;

-- name: lead_recipients
-- The people who are told about leads, as `active_people` has them.
select u.id, u.email, u.role, u.phone_e164, u.quiet_from, u.quiet_until, p.preferences
from users u
cross join lateral (
    select coalesce(jsonb_object_agg(event || ':' || channel, mode), '{}') as preferences
    from notification_preferences where user_id = u.id
) p
where u.notify_leads and u.is_active
order by u.email;

-- name: active_people
-- Everybody who may sign in: id, email, role, phone_e164, quiet hours, preferences as {"<event>:<channel>": mode}.
select u.id, u.email, u.role, u.phone_e164, u.quiet_from, u.quiet_until, p.preferences
from users u
cross join lateral (
    select coalesce(jsonb_object_agg(event || ':' || channel, mode), '{}') as preferences
    from notification_preferences where user_id = u.id
) p
where u.is_active
order by u.email;

-- name: contacts_with_mail
-- These contacts as far as they have an address, and those who have one of these addresses: id, email.
select id, email from contacts
where email is not null and (id = any(cast(:ids as uuid[])) or email_normalized = any(cast(:emails as text[])));
