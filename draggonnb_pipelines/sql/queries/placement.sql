-- On which server each client's database is, and its moves. All in the master but the one question marked so.

-- name: servers
-- Every server, the master's first, with how many clients have their database on it.
select s.id, s.name, s.dsn_sealed, s.note, s.is_open, s.created_at,
       (select count(*) from organizations o where o.server = s.name and o.database_name is not null) as clients
from database_servers s where s.removed_at is null order by s.name <> 'master', s.name;

-- name: server_of_name^
select id, name, dsn_sealed, system_id, note, is_open, created_at from database_servers
where name = :name and removed_at is null;

-- name: server_kept^
-- As it is now, and until the end of this transaction.
select id, name, dsn_sealed from database_servers where name = :name and removed_at is null for share;

-- name: emptiest_server^
-- Where the next client is placed: the open server with the fewest.
select s.id, s.name, s.dsn_sealed
from database_servers s left join organizations o on o.server = s.name and o.database_name is not null
where s.is_open and s.removed_at is null
group by s.id
order by count(o.id), s.name
limit 1;

-- name: server_of_system^
select name from database_servers where system_id = :system_id and name <> :name;

-- name: put_server$
-- A new server, or another way to one that is known already; nothing where it is another cluster than was known, unless
-- that is said to have been replaced. A name that was removed may be another server's.
insert into database_servers (id, name, dsn_sealed, system_id, note, is_open)
values (:id, :name, :dsn_sealed, :system_id, :note, :is_open)
on conflict (name) do update
set id = excluded.id, dsn_sealed = excluded.dsn_sealed, system_id = excluded.system_id, removed_at = null,
    note = coalesce(nullif(excluded.note, ''), database_servers.note),
    is_open = excluded.is_open and (database_servers.is_open or database_servers.removed_at is not null)
where database_servers.removed_at is not null
   or (database_servers.name <> 'master' and database_servers.id = excluded.id
       and (:is_replaced or database_servers.system_id is not distinct from excluded.system_id))
returning name;

-- name: lock_server^
-- Nobody is placed on it, and no move to or from it begins, until this transaction ends.
select id, dsn_sealed, name from database_servers where name = :name and removed_at is null for update;

-- name: tied_to_server
-- Why a server has to stay in the list, a line for each client.
select o.slug, 'is on it' as reason from organizations o where o.server = :name and o.database_name is not null
union all
select o.slug, 'is being moved' from tenant_moves m join organizations o on o.id = m.organization_id
where m.state = 'copying' and :name in (m.from_server, m.to_server)
union all
select o.slug, 'has left ' || m.kept_name || ' there' from tenant_moves m join organizations o on o.id = m.organization_id
where m.state = 'moved' and m.from_server = :name and m.old_dropped_at is null and not :is_lost
order by 1, 2;

-- name: remove_server!
update database_servers set removed_at = now(), dsn_sealed = null, system_id = null, is_open = false where name = :name;

-- name: clients_on
-- Who is reached by the server's DSN, each with a copy of it that is sealed for it alone.
select id, database_name, held_since from organizations
where server = :name and database_name is not null order by id for update;

-- name: reseal_client!
update organizations set dsn_sealed = :dsn_sealed where id = :id;

-- name: set_open$
update database_servers set is_open = :is_open where name = :name and removed_at is null and is_open <> :is_open
returning name;

-- name: clients_shown
select slug, status, database_name, held_since from organizations
where server = :name and database_name is not null order by slug limit :row_limit;

-- name: open_move^
select id, from_server, to_server, database_name, tokens from tenant_moves
where organization_id = :organization_id and state = 'copying';

-- name: begin_move^
-- A move, or the one that was cut off, which whoever says so now takes up.
insert into tenant_moves (organization_id, from_server, to_server, database_name, tokens, requested_by)
select id, server, :to_server, database_name, array[cast(:token as text)], :requested_by from organizations where id = :organization_id
on conflict (organization_id) where state = 'copying' do update
set tokens = tenant_moves.tokens || excluded.tokens
where tenant_moves.to_server = excluded.to_server
returning id, database_name, tokens;

-- name: take_move_up$
-- For the way back: from here on no earlier attempt can end it.
update tenant_moves set tokens = tokens || cast(:token as text)
where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :last_token
returning tokens;

-- name: hold!
update organizations set held_since = coalesce(held_since, now()) where id = :id;

-- name: in_hand$
-- What runs have of this client right now.
select count(*) from inbox
where organization_id = :organization_id and state = 'claimed' and run_id is not null and lease_until > now();

-- name: in_hand_inside$
-- In the client's own database: posts and messages about which somebody outside is being told.
select (select count(*) from content_queue where status in ('claimed', 'calling') and lease_until > now())
     + (select count(*) from notification_deliveries where status = 'sending' and lease_until > now());

-- name: switch$
-- From here on the new server's database is the client's. Only by the last attempt, and only where it still was.
with moved as (
    update tenant_moves
    set state = 'moved', ended_at = now(), row_count = :row_count, kept_name = :kept_name, last_error = null
    where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :token
    returning organization_id, from_server, to_server
)
update organizations o
set server = m.to_server, database_name = :database_name, dsn_sealed = cast(:dsn_sealed as bytea), held_since = null
from moved m
where o.id = m.organization_id and o.server = m.from_server
returning o.server;

-- name: abandon$
with ended as (
    update tenant_moves set state = 'abandoned', ended_at = now(), last_error = :error
    where id = :id and state = 'copying' and tokens[cardinality(tokens)] = :token
    returning organization_id
)
update organizations o set held_since = null from ended e where o.id = e.organization_id returning o.slug;

-- name: left_behind
-- What moves have left on other servers and nobody has dropped: the old database of each, and, without a name of its own,
-- what one that was given up may have made: the server may have been away just then.
select id, kept_name, database_name, tokens, case state when 'moved' then from_server else to_server end as server
from tenant_moves
where organization_id = :organization_id and (state = 'abandoned' or state = 'moved' and old_dropped_at is null)
order by ended_at;

-- name: old_dropped!
update tenant_moves set old_dropped_at = now() where id = :id and old_dropped_at is null;

-- name: moves_of
select from_server, to_server, state, kept_name, row_count, last_error, created_at, ended_at, old_dropped_at
from tenant_moves where organization_id = :organization_id order by created_at desc limit 10;
