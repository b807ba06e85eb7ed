-- The client's accounts at the networks: their sealed tokens, their state, and what a dead one puts at risk.

-- name: add_account!
-- An empty row to be filled under its lock; of two who connect at once, one makes it.
insert into social_accounts (id, platform_id, external_id, status) values (:id, :platform, :external_id, 'disconnected')
on conflict (platform_id, external_id) do nothing;

-- name: find_account^
select id as account_id, credentials from social_accounts where platform_id = :platform and external_id = :external_id;

-- name: lock_account^
select id as account_id, platform_id, credentials, refresh_started_at from social_accounts
where platform_id = :platform and external_id = :external_id
for update;

-- name: connect_account!
-- With a token that a person brought, whatever was wrong before is over. What is not known now stays as it was.
update social_accounts
set credentials = :credentials, credentials_version = credentials_version + brings::integer,
    has_refresh_token = :has_refresh_token, handle = coalesce(:handle, handle),
    display_name = coalesce(:display_name, display_name), scopes = coalesce(cast(:scopes as text[]), scopes),
    expires_at = case when brings then :expires_at else expires_at end,
    data_access_expires_at = case when brings then null else data_access_expires_at end,
    last_checked_at = case when brings then null else last_checked_at end,
    status = case when brings then 'connected' else status end,
    status_reason = case when brings then null else status_reason end,
    paused_until = case when brings then null else paused_until end,
    refresh_started_at = case when brings then null else refresh_started_at end,
    lease_until = case when brings then null else lease_until end
from (select cast(:brings_something as boolean) as brings) as given
where id = :account_id;

-- name: disconnect_account^
-- The tokens are gone with it.
update social_accounts
set status = 'disconnected', status_reason = null, credentials = null, has_refresh_token = false, paused_until = null,
    credentials_version = credentials_version + 1, expires_at = null, data_access_expires_at = null,
    refresh_started_at = null, lease_until = null
where id = :account_id and status <> 'disconnected'
returning id as account_id, platform_id, external_id;

-- name: list_accounts
select id as account_id, platform_id, external_id, handle, display_name, status, status_reason, paused_until,
       expires_at, data_access_expires_at, has_refresh_token, credentials_version,
       (select count(*) from content_queue q
        where q.account_id = social_accounts.id and q.part = 0 and q.status in ('scheduled', 'claimed', 'needs_review')
       ) as posts_waiting
from social_accounts order by platform_id, external_id;

-- name: get_account^
select id as account_id, platform_id, external_id, handle, display_name, status, status_reason, paused_until,
       credentials, credentials_version, has_refresh_token, expires_at, data_access_expires_at, refresh_started_at
from social_accounts where id = :account_id;

-- name: mark_account!
-- Only what worked is marked: of many refusals of one incident the first does it.
update social_accounts
set status = :status, status_reason = :reason, paused_until = :paused_until
where id = :account_id and credentials_version = :credentials_version
  and (status = 'connected' or (status = 'blocked' and (:status <> 'blocked' or paused_until <= :now)));

-- name: lift_blocks
-- The silence is over; the next post shows whether the platform is content.
update social_accounts set status = 'connected', status_reason = null, paused_until = null
where status = 'blocked' and paused_until <= :now
returning id;

-- name: accounts_in_trouble
-- All that people are to be told about; whom they have been told is known by the notice's key.
select id as account_id from social_accounts
where status in ('reconnect_needed', 'permission_missing', 'blocked') and updated_at > :since
order by id;

-- name: posts_at_risk
-- What waits to go out through this account at or after a moment, soonest first.
select q.post_id, coalesce(nullif(p.title, ''), left(p.content, 60)) as title, q.publish_at
from content_queue q join social_posts p on p.id = q.post_id
where q.account_id = :account_id and q.part = 0 and q.status in ('scheduled', 'claimed', 'needs_review')
  and (cast(:from_at as timestamptz) is null or q.publish_at >= :from_at)
order by q.publish_at, q.id;

-- name: take_lost
-- Refreshes whose worker was killed between the call and the storing: the old refresh token is spent.
select id as account_id, platform_id, credentials, credentials_version from social_accounts
where refresh_started_at is not null and lease_until < :now;

-- name: lose_refresh_token^
-- Nobody can refresh any more. A worker that is only slow may still store its pair: the version is the same.
update social_accounts
set status = 'reconnect_needed', status_reason = :reason, credentials = :credentials, has_refresh_token = false,
    refresh_started_at = null, lease_until = null
where id = :account_id and credentials_version = :credentials_version and status <> 'disconnected'
returning id;

-- name: take_refreshes
-- The intent, committed before the call. Two refreshers at once never hold the same account.
update social_accounts
set refresh_started_at = :now, lease_until = :now + make_interval(secs => :lease_seconds)
where id in (
    select id from social_accounts
    where has_refresh_token and refresh_started_at is null and coalesce(lease_until, '-infinity') <= :now
      and (cast(:account_id as uuid) is null or id = :account_id)
      and (cast(:account_id as uuid) is not null or (status in ('connected', 'blocked')
           and expires_at <= case platform_id when 'x' then :x_before else :others_before end))
    for update skip locked
)
returning id as account_id, platform_id, external_id, credentials, credentials_version, status;

-- name: store_pair^
-- Compare-and-set: tokens that a person brought meanwhile are newer, and stay.
update social_accounts
set credentials = :credentials, credentials_version = credentials_version + 1, has_refresh_token = :has_refresh_token,
    expires_at = :expires_at, refresh_started_at = null, lease_until = null,
    status = case when status = 'blocked' then status else 'connected' end,
    status_reason = case when status = 'blocked' then status_reason end
where id = :account_id and credentials_version = :credentials_version
  and status in ('connected', 'blocked', 'reconnect_needed')
returning id;

-- name: put_off_refresh!
-- Nothing happened at the platform: the refresh token is still good. A token that was refused is silent until then.
update social_accounts
set refresh_started_at = null, lease_until = :until,
    expires_at = case when :was_refused then least(expires_at, :now) else expires_at end,
    paused_until = case when :was_refused then greatest(paused_until, :until) else paused_until end
where id = :account_id and credentials_version = :credentials_version;

-- name: accounts_to_check
-- Those without a refresh token: a refresh is proof enough for the others.
select id as account_id, platform_id, external_id, credentials, credentials_version from social_accounts
where status = 'connected' and not has_refresh_token and coalesce(last_checked_at, '-infinity') <= :checked_before
order by id;

-- name: record_check!
update social_accounts
set last_checked_at = :now, scopes = case when :scopes = '{}'::text[] then scopes else cast(:scopes as text[]) end,
    expires_at = case when :is_whole then cast(:expires_at as timestamptz)
                      else coalesce(cast(:expires_at as timestamptz), expires_at) end,
    data_access_expires_at = coalesce(:data_access_expires_at, data_access_expires_at)
where id = :account_id and credentials_version = :credentials_version;

-- name: accounts_to_remind
-- Those that only a person can keep alive, and the day on which they end.
select id as account_id, platform_id, external_id, handle, display_name,
       least(expires_at, data_access_expires_at) as ends_at
from social_accounts
where status = 'connected' and not has_refresh_token
  and least(expires_at, data_access_expires_at) between :now and :before
order by id;

-- name: note_reminded!
update social_accounts set reminded_at = :now where id = any(:account_ids);
