-- Bulk questions to Claude: the intent is committed before the submission; and the reprocessings that need them.

-- name: open_reprocessing!
-- Without organizations it is for all that have leads; the first attempt comes after :delay_seconds.
insert into reprocessings (id, organizations, from_day, to_day, requested_by, next_attempt_at)
values (:id, :organizations, :from_day, :to_day, :requested_by, now() + make_interval(secs => :delay_seconds))
on conflict (id) do nothing;

-- name: due_reprocessings
-- Requests to take up or to go on with; taking one moves its next attempt on, so that two ticks never take it twice.
update reprocessings
set attempts = attempts + 1, next_attempt_at = now() + make_interval(secs => :lease_seconds)
where id in (
    select id from reprocessings where state = 'open' and next_attempt_at <= now()
    order by created_at limit :row_limit for update skip locked
)
returning id, attempts;

-- name: get_reprocessing^
select id, organizations, from_day, to_day, state, attempts from reprocessings where id = :id;

-- name: postpone_reprocessing!
update reprocessings
set next_attempt_at = now() + make_interval(secs => :delay_seconds), last_error = :reason, run_id = :run_id
where id = :id and state = 'open';

-- name: take_reprocessing!
-- A run is at work on it; if it fails, its failure finds the request by the run.
update reprocessings set run_id = :run_id where id = :id and state = 'open';

-- name: postpone_run!
update reprocessings set next_attempt_at = now() + make_interval(secs => :delay_seconds)
where run_id = :run_id and state = 'open';

-- name: close_reprocessing!
update reprocessings
set state = :state, last_error = :reason, run_id = :run_id, finished_at = now()
where id = :id and state = 'open';

-- name: take_submission_lock$
select pg_try_advisory_lock(hashtextextended('message_batches', 17));

-- name: free_submission_lock$
select pg_advisory_unlock(hashtextextended('message_batches', 17));

-- name: intend_batch!
insert into message_batches (id, purpose, state, requests) values (:id, :purpose, 'intent', :requests)
on conflict (id) do nothing;

-- name: record_submission!
update message_batches set state = 'submitted', vendor_batch_id = :vendor_batch_id, submitted_at = now()
where id = :id and state = 'intent';

-- name: record_state!
update message_batches set state = :state, last_error = :reason,
    ended_at = case when :state in ('ended', 'stored') then coalesce(ended_at, now()) else ended_at end
where id = :id;

-- name: open_batches
select id, purpose, vendor_batch_id, state, requests, created_at from message_batches
where state in ('intent', 'submitted', 'ended')
order by created_at;
