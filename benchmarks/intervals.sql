-- The intervals of `observations` and `coverage` with a silence of an hour, by hand, for DuckDB.
-- It sorts the observations once, and joins them once, to the few moments at which there was a look.
-- A transition that was seen up to five seconds ahead of its look is the time of that look, for its image.
with
looks as (
    select account_id, region, date_trunc('second', observed_at) as moment,
        bool_or(coalesce(scope, '') = '' and status = 'complete') as complete,
        bool_or(status = 'not-opted-in') as shut,
        shut or bool_or(coalesce(scope, '') = '' and status in ('failed', 'partial', 'interrupted')) as failed
    from coverage where observed_at is not null group by all
),
seen as (
    select account_id, region, image_id, coalesce(state, 'unknown') as state,
        state_transition_reason as reason, date_trunc('second', observed_at) as second,
        case when state_transition_time <= second + interval 5 second then state_transition_time end as since,
        greatest(second, since) as moment, date_trunc('second', moment) as seen
    from observations where observed_at is not null
),
times as (select distinct account_id, region, second, seen from seen),
moments as (
    select account_id, region, moment, bool_or(complete) as complete, bool_or(failed) as failed, bool_or(shut) as shut
    from (from looks
        union all by name select account_id, region, second as moment from times
        union all by name select account_id, region, seen as moment from times)
    group by all
),
beside as (
    select account_id, region, moment, complete,
        max(moment) filter (complete) over (place rows between unbounded preceding and 1 preceding) as before,
        min(moment) filter (complete) over (place rows between 1 following and unbounded following) as after,
        min(moment) filter (failed) over (place rows between 1 following and unbounded following) as failed,
        min(moment) filter (shut) over (place rows between 1 following and unbounded following) as shut,
        min(moment) filter (shut) over (place rows between current row and unbounded following) as shut_from
    from moments window place as (partition by account_id, region order by moment)
),
told as (
    select times.*, earlier.before, later.after, later.failed
    from times
    join beside earlier
        on (times.account_id, times.region, second) = (earlier.account_id, earlier.region, earlier.moment)
    join beside later
        on (times.account_id, times.region, seen) = (later.account_id, later.region, later.moment)
),
facts as (from seen join told using (account_id, region, second, seen)),
compared as (
    select *, lag(moment) over turn as previous_moment, lead(state) over turn as next_state,
        lead(reason) over turn as next_reason, lead(since) over turn as next_since,
        lead(moment) over turn as next_moment, lead(before) over turn as next_before,
        lead(second) over turn as next_second
    from facts
    window turn as (
        partition by account_id, region, image_id order by moment, since nulls first,
            list_position(['unknown', 'absent', 'enabling', 'enabling-failed', 'enabled',
                           'enabled-failed', 'disabling', 'disabling-failed', 'disabled'], state),
            state, reason, second)
),
kept as (
    from compared
    where previous_moment is null or next_moment is null or state <> next_state
        or reason is distinct from next_reason or since is distinct from next_since
        or next_before > seen
        or since is null and (failed < next_moment or moment + interval 1 hour < next_moment)
),
runs as (
    select * exclude (previous_moment, next_state, next_reason, next_since, before),
        row_number() over turn as turn, next_moment is null as is_last,
        lag(state) over turn as last_state, lag(reason) over turn as last_reason, lag(moment) over turn as last_moment,
        lag(after) over turn as last_after,
        coalesce(date_trunc('second', since) = date_trunc('second', lag(since) over turn), false) as same_since,
        coalesce(lag(next_moment) over turn, moment) as began,
        case when previous_moment is null then before else lag(next_before) over turn end as before,
        case when previous_moment is null then second else lag(next_second) over turn end as scanned,
        lag(seen) over turn as last_seen, last_moment is null or state <> last_state as changed
    from kept
    window turn as (partition by account_id, region, image_id
                    order by moment, since nulls first, second, coalesce(next_moment, moment + interval 1 second))
),
scans as (
    select * replace (
            case when count(*) filter (before is null) over later = 0 then min(before) over later end as before,
            min(scanned) over later as scanned)
    from runs
    window later as (partition by account_id, region, image_id
                     order by turn rows between current row and unbounded following)
),
healed as (  -- a single look without the image, between two that saw the same transition, proves nothing
    select * replace (case when changed or not same_since or before is distinct from last_after then before end as before)
    from scans
),
absences as (
    select *, coalesce(last_moment is null and before is not null or before > last_seen, false) as away,
        coalesce(not changed and not away and not same_since and since > last_moment, false) as seam
    from healed
),
blocks as (
    select *, case when away then before when changed or seam then last_moment end as certain_before,
        count(*) filter (away or changed or seam) over (
            partition by account_id, region, image_id order by turn) as block
    from absences
),
certain as (
    select *, max(certain_before) over (partition by account_id, region, image_id, block) as certain
    from blocks
),
proven as (
    select *, away or changed or seam as new,
        min(since) filter (certain is null or since > certain or since = began) over block as believed,
        min(since) over (block order by turn rows between current row and unbounded following) as proven,
        case when new then believed else proven end as earliest
    from certain window block as (partition by account_id, region, image_id, block)
),
started as (
    select *, coalesce(earliest <= began, false) as start_exact,
        case when new or proven is null or proven > last_moment then least(earliest, began) end as start
    from proven
),
places as (
    select account_id, region, max(moment) filter (complete) as last_complete, max(moment) as last_look
    from looks group by all
),
bounded as (
    select started.*,
        lead(scanned) over (partition by account_id, region, image_id order by turn) as next_scanned,
        lead(seam, 1, false) over (partition by account_id, region, image_id order by turn) as next_seam,
        case when is_last then last_complete
             else lead(before) over (partition by account_id, region, image_id order by turn) end as last_without,
        case when after <= last_without then after end as gone,
        case when after <= last_without then last_without end as missed,
        case when is_last then greatest(last_look, max(second) over (partition by account_id, region))
             else lead(start) over (partition by account_id, region, image_id order by turn) end as until
    from started left join places using (account_id, region)
),
gaps as (
    select bounded.*,
        least(case when next_seam or is_last and (gone is null and first_failed.shut_from is not null
                                   or first_failed.shut_from < gone)
                       or first_failed.shut_from < coalesce(gone, until) and first_failed.shut_from < next_scanned
                   then bounded.moment end,
              case when is_last and (gone is null or bounded.failed < gone)
                       or bounded.failed < coalesce(gone, until) and bounded.failed < next_scanned
                   then bounded.failed end,
              case when bounded.moment + interval 1 hour < coalesce(gone, until)
                   then bounded.moment + interval 1 hour end) as lost,
        least(case when is_last and beside.shut is not null or beside.shut < until and beside.shut < next_scanned
                   then missed end,
              case when is_last or beside.failed < until and beside.failed < next_scanned then beside.failed end,
              case when missed + interval 1 hour < until then missed + interval 1 hour end) as lost_again,
        case when state = 'disabled' then state else 'absent' end as lack
    from bounded left join beside
        on (bounded.account_id, bounded.region, missed) = (beside.account_id, beside.region, beside.moment)
    left join beside first_failed
        on (bounded.account_id, bounded.region, bounded.failed)
         = (first_failed.account_id, first_failed.region, first_failed.moment)
),
breaks as (
    select account_id, region, moment as look, after as mended,
        least(case when shut < after then moment end, case when failed < after then failed end,
              case when moment + interval 1 hour < after then moment + interval 1 hour end) as broken
    from beside where complete and broken is not null
),
interrupted as (
    select gaps.*, look, mended, broken
    from gaps join breaks using (account_id, region) where look >= gone and mended <= missed
),
changes as (
    select account_id, region, image_id, turn * 2 as turn, start as time, state,
        case when away then before else last_moment end as seen, last_reason as reason, start_exact
    from (select *, lag(lost) over (partition by account_id, region, image_id order by turn) as last_lost from gaps)
    where start is not null and (new or last_lost is not null)
    union all
    select account_id, region, image_id, turn * 2 + 1, lost, 'unknown', moment, reason, false from gaps where lost is not null
    union all
    select account_id, region, image_id, turn * 2, gone, lack, moment, reason, false from gaps where gone is not null
    union all
    select account_id, region, image_id, turn * 2 + 1, broken, 'unknown', look, reason, false from interrupted
    union all
    select account_id, region, image_id, turn * 2, mended, lack, look, reason, false from interrupted
    union all
    select account_id, region, image_id, turn * 2 + 1, lost_again, 'unknown', missed, reason, false
    from gaps where lost_again is not null
    union all
    select account_id, region, image_id, turn * 2, greatest(moment, missed, lost, lost_again) + interval 2 second,
        'end', greatest(moment, missed), reason, false from gaps where is_last
),
lasting as (  -- what is lost from its own start on lasts a second
    select * replace (
            case when turn % 2 = 1 and lag(time) over turns = time
                 then least(time + interval 1 second, lead(time) over turns) else time end as time)
    from changes window turns as (partition by account_id, region, image_id order by time, turn)
),
holding as (
    select account_id, region, image_id, time, last(state order by turn) as state,
        last(start_exact order by turn) as start_exact,
        first(seen order by turn) as seen, first(reason order by turn) as reason
    from lasting group by all
),
news as (
    from holding
    qualify lag(state, 1, '') over (partition by account_id, region, image_id order by time) <> state
),
ended as (
    select *, lead(state) over turn as next_state, lead(time) over turn as next_time,
        lead(seen) over turn as next_seen, lead(reason) over turn as next_reason
    from news window turn as (partition by account_id, region, image_id order by time)
)
select account_id, region, image_id, state, time as start,
    case when next_state <> 'end' then next_time end as "end",
    case when state <> 'unknown' then next_seen end as last_seen, start_exact,
    case when state not in ('absent', 'unknown') then next_reason end as state_transition_reason
from ended where state <> 'end'
order by account_id, region, image_id, start
