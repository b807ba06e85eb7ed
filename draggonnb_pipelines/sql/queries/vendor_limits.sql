-- What all processes share of a vendor. Every time is this database's own: no process's clock decides anything.

-- name: take_places$
-- Give the next places of a vendor away, which together last :seconds, unless it is held. Returns in how many seconds the
-- first of them is; none while it is held.
insert into vendor_limits (vendor, next_at) values (:vendor, clock_timestamp() + make_interval(secs => :seconds))
on conflict (vendor) do update
set next_at = greatest(vendor_limits.next_at, vendor_limits.held_until, clock_timestamp()) + make_interval(secs => :seconds)
where vendor_limits.held_until <= clock_timestamp()
returning extract(epoch from next_at - clock_timestamp())::float - :seconds;

-- name: hold!
-- The vendor has asked for silence. A shorter wish never ends a longer one.
insert into vendor_limits (vendor, held_until) values (:vendor, clock_timestamp() + make_interval(secs => :seconds))
on conflict (vendor) do update set held_until = greatest(vendor_limits.held_until, excluded.held_until);

-- name: holds
select vendor, extract(epoch from held_until - clock_timestamp())::float as seconds
from vendor_limits where held_until > clock_timestamp();
