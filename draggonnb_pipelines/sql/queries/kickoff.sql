-- The agency's half hours for first calls.

-- name: kickoff_of^
select starts_at, ends_at, uid, created_at from kickoff_calls where organization_id = :organization_id;

-- name: taken_starts
select starts_at from kickoff_calls where starts_at > :now;

-- name: take_half_hour!
-- Nothing happens where the half hour, or the client, is taken care of already.
insert into kickoff_calls (organization_id, starts_at, ends_at, uid, created_at)
values (:organization_id, :starts_at, :ends_at, :uid, :now)
on conflict do nothing;

-- name: give_up_missed!
-- A half hour that went by before anybody was invited to it.
delete from kickoff_calls where organization_id = :organization_id and starts_at <= :now;
