-- One person in the databases: whom an address belongs to, what the inbox holds, how far an erasure came. What is read
-- and emptied in the tables themselves is data: workflows/operations/person_places*.py.

-- name: organizations_with_keys
-- Those whose data can be read at all.
select id, slug, name, status, timezone, locale, database_name, dsn_sealed, data_key_wrapped
from organizations
where data_key_wrapped is not null and (database_name is not null or dsn_sealed is not null)
  and (cast(:slug as text) is null or slug = :slug)
order by slug;

-- name: contacts_of
-- Tenant: the contacts of these addresses, with those that their enquiries gave: a second address of a known person is
-- in the enquiry alone.
select c.id, c.email_normalized, c.phone_e164, c.erased_at is not null as is_erased,
       coalesce(array_agg(distinct e.payload ->> 'email_key') filter (where e.payload ? 'email_key'), '{}') as emails,
       coalesce(array_agg(distinct e.payload ->> 'phone_e164') filter (where e.payload ? 'phone_e164'), '{}') as phones
from contacts c
left join leads l on l.contact_id = c.id
left join lead_events e on e.lead_id = l.id
where c.email_normalized = any(:emails) or lower(c.email) = any(:emails) or c.phone_e164 = any(:phones)
   or c.id in (
       select of_lead.contact_id from lead_events said join leads of_lead on of_lead.id = said.lead_id
       where said.payload ->> 'email_key' = any(:emails) or said.payload ->> 'phone_e164' = any(:phones))
group by c.id;

-- name: users_of
-- Tenant: people of the organization by their own addresses.
select id, lower(email) as email, phone_e164, auth_user_id, role = 'owner' and is_active as is_owner,
       not exists (select from users o where o.role = 'owner' and o.is_active and o.id <> u.id) as is_last
from users u
where lower(email) = any(:emails) or phone_e164 = any(:phones);

-- name: leads_of
select id from leads where contact_id = any(:contacts);

-- name: deals_of
select id from deals where contact_id = any(:contacts);

-- name: activities_of
select id from activities where contact_id = any(:contacts);

-- name: installed_tables
select c.relname as name from pg_class c
where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p') and not c.relispartition;

-- name: inbox_bodies
select id, topic, source, delivery_id, state, received_at, lead_id, raw_sealed, parsed_sealed from inbox
where organization_id = :organization_id and (raw_sealed is not null or parsed_sealed is not null);

-- name: empty_deliveries!
-- What waits is done with it; what a run has in hand stays until that run is done. Without its batch no repetition of
-- that run takes it again.
update inbox
set raw_sealed = null, parsed_sealed = null, last_error = null, batch_id = null, run_id = null, lease_until = null,
    state = 'done', finished_at = coalesce(finished_at, :now)
where id = any(:ids) and (state <> 'claimed' or lease_until < now());

-- name: deliveries_in_work$
select count(*) from inbox where id = any(:ids) and state = 'claimed' and lease_until >= now();

-- name: batches_in_work$
-- Questions about these leads that Claude is answering in bulk.
select count(*) from message_batches b
where b.state in ('intent', 'submitted', 'ended')
  and exists (select from unnest(cast(:leads as uuid[])) l where strpos(b.requests::text, l::text) > 0);

-- name: newest_erasure^
select id, state, subject_sealed, requested_by, counts, certificate, created_at from person_erasures
where organization_id = :organization_id and fingerprint = :fingerprint
order by created_at desc limit 1;

-- name: begin_erasure!
-- Begun twice, by two operators or after a crash, it is one; who is found later is added.
insert into person_erasures (id, organization_id, fingerprint, subject_sealed, requested_by, created_at)
values (:id, :organization_id, :fingerprint, :subject_sealed, :requested_by, :now)
on conflict (organization_id, fingerprint) where state = 'erasing'
do update set subject_sealed = excluded.subject_sealed;

-- name: add_counts!
update person_erasures e
set counts = e.counts || (
    select coalesce(jsonb_object_agg(n.key, n.value::bigint + coalesce((e.counts ->> n.key)::bigint, 0)), '{}')
    from jsonb_each_text(:counts) n)
where id = :id;

-- name: counts_in_tenant
-- Tenant: what each pass of this erasure emptied here, as its entries in the audit log say.
select metadata -> 'rows' as counts from audit_log where action = 'person.erased' and resource = :resource;

-- name: end_erasure!
update person_erasures
set state = 'erased', certificate = :certificate, finished_at = :now, subject_sealed = null,
    also_known_by = :also_known_by
where id = :id and state = 'erasing';

-- name: add_erasure!
-- One that is known from its slip alone.
insert into person_erasures (id, organization_id, fingerprint, also_known_by, state, requested_by, certificate,
                             created_at, finished_at)
select :id, o.id, :fingerprint, :also_known_by, 'erased', :requested_by, :certificate, :created_at, :finished_at
from organizations o where o.id = :organization_id
on conflict (id) do nothing;

-- name: erasures_of
-- Who was forgotten here, to be known again if a backup brings them back.
select fingerprint, also_known_by, finished_at from person_erasures
where organization_id = :organization_id and state = 'erased';

-- name: open_erasures
-- Those that were cut off.
select id, fingerprint, subject_sealed, requested_by from person_erasures
where organization_id = :organization_id and state = 'erasing' order by created_at;

-- name: known_addresses
-- Tenant: every address that was here before that moment, and since when. An enquiry counts from the day on which it
-- came, whenever it was stored: what the inbox brings again after a restore is as old as it was.
select email, phone, is_user, min(since) as since from (
    select email_normalized as email, phone_e164 as phone, false as is_user, created_at as since from contacts
    union all
    select lower(email), phone_e164, true, created_at from users
    union all
    select payload ->> 'email_key', payload ->> 'phone_e164', false, occurred_at from lead_events
    union all
    select address, null, false, refused_at from refused_addresses
    union all
    select lower(recipient), null, false, created_at from notification_deliveries
    where user_id is null and strpos(recipient, '@') > 0
    union all
    select null, '+' || ltrim(recipient, '+'), false, created_at from notification_deliveries
    where user_id is null and recipient ~ '^[+]?[0-9]{6,15}$'
    union all
    select lower(reviewer), null, false, decided_at from review_decisions where strpos(reviewer, '@') > 0
    union all
    select lower(requested_by), null, false, created_at from content_requests where strpos(requested_by, '@') > 0
    union all
    select lower(request ->> 'requested_by'), null, false, created_at from recurring_requests
    where strpos(request ->> 'requested_by', '@') > 0
    union all
    select lower(acknowledged_by), null, false, acknowledged_at from alerts where strpos(acknowledged_by, '@') > 0
    union all
    select lower(undo_by), null, false, created_at from content_queue where strpos(undo_by, '@') > 0
) as known
where since < :before and (email is not null or phone is not null)
group by email, phone, is_user;
