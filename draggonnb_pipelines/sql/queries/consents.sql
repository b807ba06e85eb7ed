-- The ledger of consents of one contact in a tenant's database; the newest row of a purpose counts.

-- name: ledger_of
select c.id, s.purpose, s.granted, s.wording, s.source, s.recorded_at
from contacts c join consents s on s.contact_id = c.id
where c.id = any(:contacts)
order by s.recorded_at, s.id;

-- name: record_consent$
-- One row more, unless the newest one says the same in the same words. The newest counts, so this takes a time of its
-- own after it. Returns its id, or nothing.
insert into consents (contact_id, purpose, granted, wording, source, recorded_at)
select c.id, :purpose, :granted, :wording, :source, greatest(:now, newest.recorded_at + interval '1 microsecond')
from contacts c
left join lateral (
    select granted, wording, recorded_at from consents where contact_id = c.id and purpose = :purpose
    order by recorded_at desc, granted limit 1
) newest on true
where c.id = :contact_id
  and (newest.granted is distinct from :granted or (:granted and newest.wording <> :wording))
returning id;
