/* What is known of a record that may be a hit, and runs of records that differ in their events' ids. */

#include "callers.h"

/* What a hit has beside its head: where its caller and its error message are, and its identity,
   which is known where `has_identity`: its id is a UUID in lower case. */
typedef struct {
    uint32_t caller_start, caller_size, message_start, message_size;
    uint8_t identity[16], has_identity, has_code, unused[2];
} HitFields;

/* Groups of records of a chunk, to be cut into runs; the caller owns and sizes all of it.
   There is room for a run a record. */
typedef struct {
    const uint8_t *data;     /* the chunk */
    const int64_t *sizes;    /* of each record of the chunk, and */
    const HitFields *fields; /* what it has as a hit */
    int64_t group_count, largest; /* a record that is larger is a run by itself */
    const int32_t *ends;     /* of each group in `records`, which are numbers of records */
    const int32_t *records;
    int32_t *run_starts, *run_ends; /* of each run in `records` */
    int32_t *runs;           /* of each group, how many runs lie before its end */
    uint8_t *identities;     /* of each of `records` */
    Callers *callers;        /* 0: nothing is known of callers */
    const uint64_t *asked;   /* of each group: what its callers may have refused, as a bit */
    int32_t *run_callers;    /* of each run, where its group asks: the number of its caller */
} HitRuns;

static int is_alike(const uint8_t *data, const HitFields *one, const HitFields *other)
{
    return one->caller_size == other->caller_size && one->message_size == other->message_size
        && one->has_code == other->has_code
        && !memcmp(data + one->caller_start, data + other->caller_start, one->caller_size)
        && !memcmp(data + one->message_start, data + other->message_start, one->message_size);
}

/* Cut groups into runs of records whose callers and error messages have the same bytes. What a caller
   is known to refuse is in none. */
static int64_t find_runs(HitRuns *hits)
{
    int64_t run = 0;
    int32_t place = 0;
    for (int64_t group = 0; group < hits->group_count; group++) {
        const HitFields *last = 0; /* of the run before, in this group */
        uint64_t asked = hits->callers ? hits->asked[group] : 0;
        int is_refused = 0;
        for (; place < hits->ends[group]; place++) {
            int32_t record = hits->records[place], caller = 0;
            const HitFields *fields = hits->fields + record;
            int is_known = fields->has_identity && fields->caller_size
                && hits->sizes[record] <= hits->largest;
            memcpy(hits->identities + 16 * (int64_t)place, fields->identity, 16);
            if (is_known && last && is_alike(hits->data, last, fields)) {
                if (!is_refused) hits->run_ends[run - 1] = place + 1;
                continue;
            }
            last = is_known ? fields : 0;
            if (asked && is_known)
                caller = number_caller(hits->callers, hits->data + fields->caller_start,
                    fields->caller_size);
            is_refused = caller && (hits->callers->refused[caller] & asked);
            if (is_refused) continue;
            hits->run_starts[run] = place;
            hits->run_callers[run] = caller;
            hits->run_ends[run++] = place + 1;
        }
        hits->runs[group] = (int32_t)run;
    }
    return run;
}
