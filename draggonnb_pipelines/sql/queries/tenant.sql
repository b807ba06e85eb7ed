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
-- The people who are told about leads: id, email, phone_e164.
select id, email, phone_e164 from users where notify_leads order by email;

-- name: active_people
-- Everybody who may sign in: id, email, role.
select id, email, role from users where is_active order by email;
