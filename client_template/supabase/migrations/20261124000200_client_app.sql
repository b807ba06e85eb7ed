-- What the client's app needs beside the tables: people who come by an invitation, and news without asking for it.

create function join_organization() returns text
language plpgsql security definer set search_path = '' as $$
begin
    if auth.uid() is null then
        raise exception 'sign in first' using errcode = 'insufficient_privilege';
    end if;
    -- Whoever is known already is left as they are, also where an admin has taken their access away.
    update public.users
    set auth_user_id = auth.uid()
    where auth_user_id is null and is_active and lower(email) = lower(auth.jwt() ->> 'email')
      and not exists (select from public.users known where known.auth_user_id = auth.uid());
    return app."current_role"();
end
$$;
comment on function join_organization() is
    'Called by the app after signing in: an admin has written the address down, and whoever proved to Supabase Auth that '
    'it is theirs is that person from then on. The role, or null for a stranger. Auth must confirm addresses '
    '(mailer_autoconfirm off), or anybody could say that they are the invited.';
revoke all on function join_organization() from public, anon;
grant execute on function join_organization() to authenticated;

-- Supabase's Realtime tells of what this publication holds, each reader what their policies let them read. A Postgres
-- without Realtime has no such publication, and the app asks at intervals there.
do $$
begin
    if exists (select from pg_publication where pubname = 'supabase_realtime') then
        alter publication supabase_realtime add table public.notifications;
    end if;
end
$$;
