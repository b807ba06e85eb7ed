-- Two limits that people could pass by writing through the API: how many may sign in, and how many posts of one month
-- go out. Each is decided in the transaction that would pass it.

create function app.keep_users_within_plan() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    allowed bigint;
    people bigint;
begin
    -- Whoever adds or removes somebody waits here for the one before; the count below then sees what that one did.
    select limit_value into allowed from public.usage_counters where metric = 'users' for update;
    if not found then
        return null;  -- no plan has said anything yet
    end if;
    select count(*) into people from public.users where is_active;
    if new.is_active and people > allowed then
        raise exception 'the plan allows % active users, and all these places are taken', allowed
            using errcode = 'check_violation', constraint = 'users_within_plan', table = 'users',
                  hint = 'Deactivate somebody, or change to a larger plan.';
    end if;
    update public.usage_counters set used = people where metric = 'users' and used <> people;
    return null;
end
$$;
comment on function app.keep_users_within_plan() is
    'Refuses an active user beyond the limit in usage_counters, however many are added at once. After a change to a '
    'smaller plan everybody stays and nobody is added.';
-- After the rows: an insert that ends in "on conflict do nothing" takes no place.
create trigger count_added after insert on users for each row execute function app.keep_users_within_plan();
create trigger count_changed after update of is_active on users
    for each row when (old.is_active is distinct from new.is_active) execute function app.keep_users_within_plan();
create trigger count_removed after delete on users for each row execute function app.keep_users_within_plan();

create function app.follow_users_limit() returns trigger
language plpgsql security definer set search_path = '' as $$
begin
    insert into public.usage_counters (metric, period_start, period_end, used, limit_value)
    values ('users', '2000-01-01', '9999-12-31', (select count(*) from public.users where is_active),
            (new.limits ->> 'users')::bigint)
    on conflict (metric, period_start) do update set limit_value = excluded.limit_value, alerted_percent = 0
    where usage_counters.limit_value is distinct from excluded.limit_value;
    return null;
end
$$;
comment on function app.follow_users_limit() is 'A change of plan holds for the next user already, not from the next daily count on.';
create trigger follow_users_limit after update of limits on organizations
    for each row when (jsonb_typeof(new.limits -> 'users') in ('number', 'null')) execute function app.follow_users_limit();

create function app.move_place() returns trigger
language plpgsql security definer set search_path = '' as $$
declare
    place constant text := 'posts_monthly:post:' || new.id;
    month_before date;
    month constant date :=
        date_trunc('month', new.publish_at at time zone (select timezone from public.organizations))::date;
begin
    -- The lock of all who reserve, commit or release a place.
    perform pg_advisory_xact_lock(hashtextextended('posts_monthly', 14));
    select period_start into month_before from public.usage_reservations where key = place and state = 'held';
    if not found or month_before = month then
        return null;
    end if;
    -- A month that nobody has counted yet begins with the limit of the one that the post comes from.
    insert into public.usage_counters (metric, period_start, period_end, limit_value)
    select metric, month, (month + interval '1 month')::date, limit_value
    from public.usage_counters where metric = 'posts_monthly' and period_start = month_before
    on conflict (metric, period_start) do nothing;
    update public.usage_counters set reserved = reserved + 1
    where metric = 'posts_monthly' and period_start = month
      and (limit_value is null or used + reserved + 1 <= limit_value);
    if not found then
        raise exception 'the plan has no post left in the month of %', to_char(month, 'YYYY-MM')
            using errcode = 'check_violation', constraint = 'posts_within_plan', table = 'social_posts',
                  hint = 'Choose another month, or change to a larger plan.';
    end if;
    update public.usage_counters set reserved = reserved - 1
    where metric = 'posts_monthly' and period_start = month_before;
    update public.usage_reservations set period_start = month, expires_at = new.publish_at + interval '30 days'
    where key = place;
    return null;
end
$$;
comment on function app.move_place() is
    'A post that is moved to another month counts there: twelve months'' places are not to be spent in one.';
create trigger move_place after update of publish_at on content_queue
    for each row when (new.part = 0 and old.publish_at is distinct from new.publish_at) execute function app.move_place();
